-- The bulletin against itself: its rates and totals, its names, what two places say of one thing.
with figure as (
    select
        quarter,
        table_name,
        table_row,
        printed_name,
        printed_measure,
        is_total,
        control_id,
        subject,
        measure,
        printed_value as value
    from {{ ref('published_figure') }}
),

quotient (measure, numerator, denominator) as (
    values
    ('completion_rate', 'handled_count', 'due_count'),
    ('completion_rate', 'handled_count', 'distinct_item_count'),
    ('on_time_rate', 'on_time_count', 'due_count'),
    ('rework_rate', 'rework_count', 'due_count')
),

-- Where the counts of a rate are printed beside it. A rate that a published measure maps to this
-- control already has its expected side among the published figures.
rate as (
    select
        printed.quarter,
        'bulletin_rate' as control_id,
        printed.subject,
        printed.measure,
        case when printed.control_id != 'bulletin_rate' then printed.value end as expected,
        coalesce(
            {{ ratio('cast(numerator.value as bigint)', 'cast(denominator.value as bigint)') }},
            item.rate_when_empty
        ) as actual
    from figure as printed
    inner join quotient on printed.measure = quotient.measure
    inner join figure as numerator
        on
            printed.table_name = numerator.table_name
            and printed.subject = numerator.subject
            and quotient.numerator = numerator.measure
    inner join figure as denominator
        on
            printed.table_name = denominator.table_name
            and printed.subject = denominator.subject
            and quotient.denominator = denominator.measure
    left join {{ ref('dim_index_item') }} as item on printed.measure = item.component || '_rate'
),

-- Counts add up to the printed total; rates and the index don't.
total as (
    select
        quarter,
        'bulletin_total' as control_id,
        table_name as subject,
        max(measure) filter (where not is_total) as measure,
        max(value) filter (where is_total) as expected,
        sum(value) filter (where not is_total) as actual
    from figure
    where table_name like 'appendix%' and measure like '%count'
    group by quarter, table_name, printed_measure
),

name as (
    select
        quarter,
        'bulletin_name' as control_id,
        printed_name as subject,
        table_name || '_row_count' as measure,
        1 as expected,
        count(distinct table_row) as actual
    from figure
    where table_name like 'appendix%' and not is_total
    group by quarter, table_name, printed_name
),

{% set places = {
    'dispatched': ['published_text_hotline', 'due_count'],
    'typed': ['published_text_request_type', 'ticket_count'],
    'satisfied': ['published_text_hotline', 'satisfaction_rate'],
    'dissatisfied': ['published_appendix_1_total', 'dissatisfaction_rate'],
    'suggestion': ['published_text_suggestion', 'distinct_item_count'],
    'assignment': ['published_appendix_3_total', 'assignment_count']
} %}
said as (
    select
        {% for place, (control_id, measure) in places.items() -%}
        sum(value) filter (where control_id = '{{ control_id }}' and measure = '{{ measure }}')
            as {{ place }},
        {% endfor -%}
        quarter
    from figure
    group by quarter
),

two_places as (
    {% for control_id, subject, measure, expected, actual in [
        ('bulletin_request_type', 'district', 'ticket_count', 'dispatched', 'typed'),
        ('bulletin_satisfaction', 'district', 'satisfaction_rate', '1 - dissatisfied', 'satisfied'),
        ('bulletin_suggestion', 'suggestion', 'assignment_count', 'assignment', 'suggestion')
    ] -%}
    select
        quarter,
        '{{ control_id }}' as control_id,
        '{{ subject }}' as subject,
        '{{ measure }}' as measure,
        {{ expected }} as expected,
        {{ actual }} as actual
    from said
    where {{ expected }} is not null and {{ actual }} is not null
    {{ 'union all' if not loop.last }}
    {% endfor -%}
),

-- Cast before the union: DuckDB drops decimals when it unites wide decimals of different scale.
compared as (
    {% for part in ['rate', 'total', 'name', 'two_places'] -%}
    select
        quarter,
        control_id,
        subject,
        measure,
        cast(expected as decimal(18, 6)) as expected,
        cast(actual as decimal(18, 6)) as actual
    from {{ part }}
    {{ 'union all' if not loop.last }}
    {% endfor -%}
)

{{ both_sides('compared') }}
