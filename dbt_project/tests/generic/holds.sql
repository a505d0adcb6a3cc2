{#- Every row satisfies a condition on its columns; null does not satisfy it. -#}
{% test holds(model, expression) %}
    {{ config(severity='error') }}
    select *
    from {{ model }}
    where not coalesce({{ expression }}, false)
{% endtest %}
