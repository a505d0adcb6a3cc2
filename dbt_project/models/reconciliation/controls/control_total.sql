-- Units to district and breakdowns to totals: which figures of the marts add up to which.
-- A side is the sum of a measure over a mart, or over one subject of it; without rows it is 0.
with part (control_id, side, subject, measure, mart, mart_measure, mart_subject) as (
    values
    {% for measure in hotline_counts() -%}
    (
        'unit_to_district_hotline', 'expected', 'district', '{{ measure }}',
        'hotline_unit_quarter', '{{ measure }}', null
    ),
    (
        'unit_to_district_hotline', 'actual', 'district', '{{ measure }}',
        'hotline_district_quarter', '{{ measure }}', null
    ),
    {% endfor -%}
    {% for channel, mart, unit_measure, channel_measure in [
        ('hotline', 'unit_quarter', 'hotline_due_count', 'assignment_count'),
        ('mailbox', 'unit_quarter', 'mailbox_due_count', 'assignment_count'),
        ('mailbox', 'mailbox_unit_quarter', 'handled_count', 'handled_count'),
        ('mailbox', 'unit_quarter', 'mailbox_on_time_count', 'on_time_count'),
        ('suggestion', 'unit_quarter', 'suggestion_due_count', 'assignment_count'),
        ('suggestion', 'unit_quarter', 'suggestion_on_time_count', 'on_time_count')
    ] -%}
    (
        'unit_to_district_channel', 'expected', '{{ channel }}', '{{ channel_measure }}',
        '{{ mart }}', '{{ unit_measure }}', null
    ),
    (
        'unit_to_district_channel', 'actual', '{{ channel }}', '{{ channel_measure }}',
        'channel_quarter', '{{ channel_measure }}', '{{ channel }}'
    ),
    {% endfor -%}
    {% for breakdown in ['request_type', 'category'] -%}
    (
        'breakdown_{{ breakdown }}', 'expected', 'district', 'ticket_count',
        'hotline_district_quarter', 'due_count', null
    ),
    (
        'breakdown_{{ breakdown }}', 'actual', 'district', 'ticket_count',
        'hotline_{{ breakdown }}_quarter', 'ticket_count', null
    ),
    {% endfor -%}
    (
        'breakdown_channel', 'expected', 'district', 'total_due_count',
        'unit_quarter', 'total_due_count', null
    ),
    (
        'breakdown_channel', 'actual', 'district', 'total_due_count',
        'channel_quarter', 'assignment_count', null
    )
),

total as (
    select
        scope.quarter,
        part.control_id,
        part.side,
        part.subject,
        part.measure,
        cast(coalesce(sum(figure.value), 0) as decimal(18, 6)) as value
    from part
    cross join {{ source('raw', 'run_scope') }} as scope
    left join {{ ref('mart_figure') }} as figure
        on
            part.mart = figure.mart
            and part.mart_measure = figure.measure
            and coalesce(part.mart_subject, figure.subject) = figure.subject
    group by scope.quarter, part.control_id, part.side, part.subject, part.measure
),

known_group as (
    select distinct evaluation_group
    from {{ ref('evaluation_group') }}
),

-- Only units of a known group are added here, so a unit outside the groups leaves a difference.
{% set grouped_measures = ['unit_count'] + hotline_counts() %}
grouped as (
    select
        {% for measure in hotline_counts() -%}
        sum(unit.{{ measure }}) as {{ measure }},
        {% endfor -%}
        unit.quarter,
        count(*) as unit_count
    from {{ ref('hotline_unit_quarter') }} as unit
    inner join {{ source('raw', 'run_scope') }} as scope on unit.quarter = scope.quarter
    inner join known_group on unit.evaluation_group = known_group.evaluation_group
    group by unit.quarter
),

mailbox as (
    select
        letter.quarter,
        letter.unit_code,
        sum(letter.due_count) as due_count,
        sum(letter.handled_count) as handled_count,
        sum(letter.on_time_count) as on_time_count,
        sum(letter.overdue_count) as overdue_count
    from {{ ref('mailbox_unit_mailbox_quarter') }} as letter
    inner join {{ source('raw', 'run_scope') }} as scope on letter.quarter = scope.quarter
    group by letter.quarter, letter.unit_code
)

select
    quarter,
    control_id,
    side,
    subject,
    measure,
    value
from total

{% for control_id, whole, parts, subject, measures in [
    ('breakdown_evaluation_group', 'hotline_district_quarter', 'grouped', "'district'",
        grouped_measures),
    ('breakdown_mailbox', 'mailbox_unit_quarter', 'mailbox', 'unit_code',
        ['due_count', 'handled_count', 'on_time_count', 'overdue_count'])
] -%}
union all
select
    quarter,
    '{{ control_id }}' as control_id,
    'expected' as side,
    subject,
    measure,
    value
from {{ ref('mart_figure') }}
where mart = '{{ whole }}' and {{ is_one_of('measure', measures) }}
union all
select
    quarter,
    '{{ control_id }}' as control_id,
    'actual' as side,
    subject,
    measure,
    value
from ({{ long_rows(parts, subject, measures) }}) as {{ parts }}_actual
{% endfor -%}
