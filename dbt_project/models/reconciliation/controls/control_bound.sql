-- Bounds: no count is larger than the one it is part of. The measure is its excess; expected is 0.
with bound (control_id, part, whole) as (
    values
    ('bound_handled', 'handled_count', 'due_count'),
    ('bound_on_time', 'on_time_count', 'handled_count'),
    ('bound_rework', 'rework_count', 'due_count'),
    ('bound_dissatisfied', 'dissatisfied_count', 'callback_count'),
    ('bound_callback', 'callback_count', 'due_count')
),

compared as (
    select
        part.quarter,
        bound.control_id,
        part.subject,
        replace(bound.part, '_count', '_excess_count') as measure,
        0 as expected,
        case when part.value > whole.value then part.value - whole.value else 0 end as actual
    from bound
    inner join {{ ref('mart_figure') }} as part on bound.part = part.measure
    inner join {{ ref('mart_figure') }} as whole
        on
            bound.whole = whole.measure
            and part.mart = whole.mart
            and part.subject = whole.subject
    where part.mart in ('hotline_unit_quarter', 'hotline_district_quarter')
)

{{ both_sides('compared') }}
