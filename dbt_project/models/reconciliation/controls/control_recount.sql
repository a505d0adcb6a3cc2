-- Fact to mart: the units' counts, counted independently from the accepted rows in staging, with
-- conditions of their own.
{% set due = 'cast(item.dispatched_at as date) between scope.quarter_start and ' ~ last_day() %}
{% set handled = due ~ ' and cast(item.finished_at as date) <= ' ~ last_day() %}
{% set is_late = moment('item.finished_at') ~ ' > ' ~ moment('item.deadline_at') %}
{% set on_time = handled ~ ' and not ' ~ is_late %}
{% set overdue = due ~ ' and item.deadline_at < scope.quarter_end'
    ~ ' and (item.finished_at is null or ' ~ is_late ~ ')' %}
{% set called_back = 'cast(item.called_back_at as date) between scope.quarter_start and '
    ~ last_day() %}
{% set recounts = {
    'hotline': ['stg_ticket', '(unit.evaluation_group is not null and unit.is_listed) or ' ~ due
        ~ ' or ' ~ called_back, {
        'due_count': due,
        'handled_count': handled,
        'on_time_count': on_time,
        'rework_count': due ~ ' and item.is_reworked',
        'callback_count': called_back,
        'dissatisfied_count': called_back ~ " and item.callback_result = 'dissatisfied'"
    }],
    'mailbox': ['stg_letter', due, {
        'due_count': due,
        'handled_count': handled,
        'on_time_count': on_time,
        'overdue_count': overdue
    }],
    'suggestion': ['stg_suggestion', due, {
        'due_count': due,
        'on_time_count': on_time,
        'overdue_count': overdue
    }]
} %}

with scope as (
    select
        quarter,
        quarter_start,
        quarter_end
    from {{ source('raw', 'run_scope') }}
),

{% for channel, (staged, listed, conditions) in recounts.items() -%}
{{ channel }} as (
    select
        {% for measure, condition in conditions.items() -%}
        sum(case when {{ condition }} then 1 else 0 end) as {{ measure }},
        {% endfor -%}
        unit.quarter,
        unit.unit_code
    from {{ ref('dim_unit') }} as unit
    cross join scope
    left join {{ ref(staged) }} as item
        on unit.unit_code = item.unit_code and item.row_status = 'accepted'
    where {{ listed }}
    group by unit.quarter, unit.unit_code
){{ ',' if not loop.last }}

{% endfor -%}
{% for channel, (staged, listed, conditions) in recounts.items() -%}
select
    quarter,
    'fact_to_mart_{{ channel }}' as control_id,
    'expected' as side,
    subject,
    measure,
    value
from ({{ long_rows(channel, 'unit_code', conditions) }}) as {{ channel }}_expected
union all
select
    quarter,
    'fact_to_mart_{{ channel }}' as control_id,
    'actual' as side,
    subject,
    measure,
    value
from {{ ref('mart_figure') }}
where
    mart = '{{ channel }}_unit_quarter'
    and {{ is_one_of('measure', conditions) }}
{{ 'union all' if not loop.last }}
{% endfor -%}
