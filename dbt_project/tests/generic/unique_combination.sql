{#- A table's grain: no two rows share these columns. The unit is added to them if the contract of
    `source_name` has it in the identity of a row. -#}
{% test unique_combination(model, columns, source_name=none) %}
    {{ config(severity='error') }}
    {%- if source_name and 'unit_name' in contract_rules(source_name).identity -%}
        {%- set columns = columns + ['unit_code'] -%}
    {%- endif %}
    select {{ columns | join(', ') }}
    from {{ model }}
    group by {{ columns | join(', ') }}
    having count(*) > 1
{% endtest %}
