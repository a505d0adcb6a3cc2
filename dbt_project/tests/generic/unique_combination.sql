{#- A table's grain: no two rows share these columns. -#}
{% test unique_combination(model, columns) %}
    {{ config(severity='error') }}
    select {{ columns | join(', ') }}
    from {{ model }}
    group by {{ columns | join(', ') }}
    having count(*) > 1
{% endtest %}
