{#- The weights of the items of an index policy add up to 1. -#}
{% test weights_sum_to_one(model, policy) %}
    {{ config(severity='error') }}
    select {{ policy }}
    from {{ model }}
    group by {{ policy }}
    having sum(weight) != 1
{% endtest %}
