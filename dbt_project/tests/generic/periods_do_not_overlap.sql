{#- Dated rules: no two rows of a key are valid on the same day, and none ends before it begins. -#}
{% test periods_do_not_overlap(model, key) %}
    {{ config(severity='error') }}
    select *
    from (
        select
            {{ (key + ['valid_from', 'valid_to']) | join(', ') }},
            row_number() over (partition by {{ key | join(', ') or 1 }} order by valid_from) as place,
            lag(valid_to) over (partition by {{ key | join(', ') or 1 }} order by valid_from)
                as previous_valid_to
        from {{ model }}
    ) as dated
    where
        valid_to < valid_from
        or (place > 1 and (previous_valid_to is null or previous_valid_to >= valid_from))
{% endtest %}
