{#- A relation between a row's columns that every row satisfies; null does not satisfy it. -#}
{% test holds(model, expression) %}
    {{ config(severity='error') }}
    select *
    from {{ model }}
    where not coalesce({{ expression }}, false)
{% endtest %}
