{#- The items of an index policy share out the whole index. -#}
{% test weights_sum_to_one(model, policy) %}
    {{ config(severity='error') }}
    select {{ policy }}
    from {{ model }}
    group by {{ policy }}
    having sum(weight) != 1
{% endtest %}
