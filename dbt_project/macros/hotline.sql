{#- The counts that the hotline's rates are computed from, in the bulletin's order. -#}
{% macro hotline_counts() -%}
    {{ return([
        'due_count', 'handled_count', 'on_time_count', 'rework_count', 'callback_count',
        'dissatisfied_count'
    ]) }}
{%- endmacro %}

{#- The count whose name is in a column, such as a policy item's numerator. -#}
{% macro hotline_count_named(column, counts) -%}
    case {{ column }}
        {%- for measure in hotline_counts() %}
        when '{{ measure }}' then {{ counts }}.{{ measure }}
        {%- endfor %}
    end
{%- endmacro %}

{#- The index, rounded half up to the policy's scale; the model's contract allows one decimal at
    most. The branches are cast, because DuckDB turns two wide decimals of different scale into
    whole numbers. -#}
{% macro round_index(expression, scale) -%}
    case {{ scale }}
        when 0 then cast(round({{ expression }}, 0) as decimal(4, 1))
        when 1 then cast(round({{ expression }}, 1) as decimal(4, 1))
    end
{%- endmacro %}
