{#- Macros that the controls share. A control returns long rows (quarter, control_id, side, subject,
    measure, value). The side is `expected`, `actual`, or `tolerance` for a tolerance of its own;
    the model `reconciliation` joins the sides. -#}

{#- Turns the columns `measures` of a relation into rows (subject, measure, value). `prefix` is SQL
    that is put before the measure's name. -#}
{% macro long_rows(relation, subject, measures, prefix='') -%}
    {% for measure in measures -%}
    select
        quarter,
        {{ subject }} as subject,
        {{ prefix }}'{{ measure }}' as measure,
        cast({{ measure }} as decimal(18, 6)) as value
    from {{ relation }}
    {{ 'union all' if not loop.last }}
    {% endfor -%}
{%- endmacro %}

{#- Every number of a mart as rows, by its contract. The subject is the unit or `district`; any
    other key is a prefix of the measure, as in restatements
    (orchestration/publish/publication.py). -#}
{% macro mart_rows(mart) -%}
    {% set keys = ['mailbox', 'component', 'channel', 'request_type', 'category'] -%}
    {% set columns, prefix, subject, measures = {}, [], ["'district'"], [] -%}
    {% if execute -%}
    {% set columns = graph.nodes['model.' ~ project_name ~ '.' ~ mart].columns -%}
    {% endif -%}
    {% for column in columns.values() -%}
    {% if column.name == 'unit_code' %}{% do subject.append('unit_code') %}
    {% elif column.name in keys %}{% do prefix.append(column.name ~ " || '.' || ") %}
    {% elif column.data_type.split('(')[0] in ['bigint', 'integer', 'decimal'] -%}
    {% do measures.append(column.name) -%}
    {% endif -%}
    {% endfor -%}
    {{ long_rows(ref(mart), subject | last, measures, prefix | join) }}
{%- endmacro %}

{% macro is_one_of(column, names) -%}
    {{ column }} in (
        {%- for name in names %}
        '{{ name }}'{{ ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{#- One row per side for every row of `relation`, from its columns `expected` and `actual`. Nulls
    are left out. -#}
{% macro both_sides(relation) -%}
    {% for side in ['expected', 'actual'] -%}
    select
        quarter,
        control_id,
        '{{ side }}' as side,
        subject,
        measure,
        cast({{ side }} as decimal(18, 6)) as value
    from {{ relation }}
    where {{ side }} is not null
    {{ 'union all' if not loop.last }}
    {% endfor -%}
{%- endmacro %}

{#- A rate of the marts, computed independently of their integer arithmetic: in decimals, which all
    engines round half up. 0 if the numerator is 0, null without a denominator. With a wider
    numerator, Spark's quotient would have only six decimals. -#}
{% macro checked_rate(numerator, denominator) -%}
    round(
        cast(
            cast({{ numerator }} as decimal(18, 6)) / nullif({{ denominator }}, 0)
            as decimal(18, 9)
        ),
        4
    )
{%- endmacro %}

{#- Whether a row is rejected because another one replaces it by the contract's conflict rule. -#}
{% macro is_overruled(rejection, contract) -%}
    {{ rejection }}.reason_code = 'conflicting_duplicate'
    and {{ contract }}.conflict_rule <> 'stop'
{%- endmacro %}
