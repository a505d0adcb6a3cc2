-- A figure of the marts in the run's quarter, in long form, as the controls compare it; null if the
-- mart has null. Marts whose rows are identified by two codes are compared by their own control.
{{ config(materialized='table') }}

{% set marts = {
    'hotline_unit_quarter': ['unit_code', hotline_counts() + [
        'completion_rate', 'on_time_rate', 'rework_rate', 'dissatisfaction_rate', 'composite_index'
    ]],
    'hotline_district_quarter': ["'district'", hotline_counts() + [
        'unit_count', 'completion_rate', 'on_time_rate', 'rework_rate', 'dissatisfaction_rate',
        'satisfaction_rate', 'composite_index'
    ]],
    'mailbox_unit_quarter': ['unit_code', [
        'due_count', 'handled_count', 'on_time_count', 'overdue_count'
    ]],
    'suggestion_unit_quarter': ['unit_code', ['due_count', 'on_time_count', 'overdue_count']],
    'channel_quarter': ['channel', [
        'distinct_item_count', 'assignment_count', 'handled_count', 'on_time_count',
        'satisfaction_rate'
    ]],
    'hotline_request_type_quarter': ['request_type', ['ticket_count', 'share']],
    'hotline_category_quarter': [
        'category', ['ticket_count', 'share', 'quarter_on_quarter_change']
    ],
    'unit_quarter': ['unit_code', [
        'hotline_due_count', 'mailbox_due_count', 'mailbox_on_time_count', 'suggestion_due_count',
        'suggestion_on_time_count', 'total_due_count'
    ]]
} %}

with figure as (
    {% for mart, (subject, measures) in marts.items() -%}
    select
        '{{ mart }}' as mart,
        quarter,
        subject,
        measure,
        value
    from ({{ long_rows(ref(mart), subject, measures) }}) as {{ mart }}
    union all
    {% endfor -%}
    -- The bulletin prints a rate for the mailboxes that is in no mart.
    select
        'channel_quarter' as mart,
        quarter,
        channel as subject,
        'completion_rate' as measure,
        cast({{ ratio('handled_count', 'assignment_count') }} as decimal(18, 6)) as value
    from {{ ref('channel_quarter') }}
)

select
    figure.mart,
    figure.quarter,
    figure.subject,
    figure.measure,
    figure.value
from figure
inner join {{ source('raw', 'run_scope') }} as scope on figure.quarter = scope.quarter
