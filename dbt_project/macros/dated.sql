{#- Dated business rules: a row of a seed is valid from valid_from through valid_to (both days
    included; an empty valid_to means until further notice). -#}
{% macro is_valid_on(relation, day) -%}
    {{ relation }}.valid_from <= {{ day }}
    and ({{ relation }}.valid_to is null or {{ relation }}.valid_to >= {{ day }})
{%- endmacro %}

{#- The day whose units, groups and policy apply to a quarter: its last day. -#}
{% macro last_day(scope='scope') -%}
    cast({{ scope }}.quarter_end - interval '1' day as date)
{%- endmacro %}

{% macro in_quarter(column, scope='scope') -%}
    {{ column }} >= {{ scope }}.quarter_start and {{ column }} < {{ scope }}.quarter_end
{%- endmacro %}
