-- This quarter against the last published version of the previous one: comparative figures, items
-- carried over, jumps. Data of that quarter that was loaded but not published is not compared.
{% set channels = {
    'hotline': ['stg_ticket', 'fct_ticket'],
    'mailbox': ['stg_letter', 'fct_letter'],
    'suggestion': ['stg_suggestion', 'fct_suggestion_assignment']
} %}
{% set open_at_start = 'item.dispatched_at < scope.quarter_start'
    ~ ' and (item.finished_at is null or item.finished_at >= scope.quarter_start)' %}
{% set hotline_rates = [
    'completion_rate', 'on_time_rate', 'rework_rate', 'dissatisfaction_rate'
] %}
{#- By control and mart: the subject, the prefix of a measure's name, the measures. -#}
{% set jumps = {
    'jump_count': {
        'hotline_unit_quarter': ['unit_code', '', hotline_counts()],
        'hotline_district_quarter': ["'district'", '', hotline_counts()],
        'mailbox_unit_quarter': ['unit_code', 'mailbox.', [
            'due_count', 'handled_count', 'on_time_count', 'overdue_count'
        ]],
        'suggestion_unit_quarter': ['unit_code', 'suggestion.', [
            'due_count', 'on_time_count', 'overdue_count'
        ]]
    },
    'jump_rate': {
        'hotline_unit_quarter': ['unit_code', '', hotline_rates],
        'hotline_district_quarter': ["'district'", '', hotline_rates]
    },
    'jump_index': {
        'hotline_unit_quarter': ['unit_code', '', ['composite_index']],
        'hotline_district_quarter': ["'district'", '', ['composite_index']]
    }
} %}

with scope as (
    select
        quarter,
        previous_quarter,
        quarter_start,
        quarter_end
    from {{ source('raw', 'run_scope') }}
),

last_figure as (
    select
        figure.mart,
        figure.subject,
        figure.measure,
        figure.value
    from {{ source('raw', 'last_version_figure') }} as figure
    inner join scope on figure.quarter = scope.previous_quarter
),

comparative as (
    select
        scope.quarter,
        'comparative_category' as control_id,
        comparative.subject,
        comparative.measure,
        comparative.value as expected,
        previous.value as actual
    from {{ ref('comparative_figure') }} as comparative
    inner join scope on comparative.quarter = scope.previous_quarter
    left join last_figure as previous
        on
            previous.mart = 'hotline_category_quarter'
            and comparative.subject || '.ticket_count' = previous.measure
    where
        comparative.control_id = 'hotline_category'
        and comparative.measure = 'ticket_count'
        and exists (select 1 from last_figure)
),

-- An item is open from its dispatch until it is finished. Open and received items are counted on
-- the accepted rows in staging, closed items on the facts.
{% for channel, (staged, fact) in channels.items() -%}
{{ channel }}_flow as (
    select
        sum(case when {{ open_at_start }} then 1 else 0 end) as opening_count,
        sum(case when {{ in_quarter('item.dispatched_at') }} then 1 else 0 end) as received_count,
        sum(
            case
                when
                    item.dispatched_at < scope.quarter_end
                    and (item.finished_at is null or item.finished_at >= scope.quarter_end)
                    then 1
                else 0
            end
        ) as closing_count,
        scope.quarter
    from scope
    left join {{ ref(staged) }} as item on item.row_status = 'accepted'
    group by scope.quarter
),

{{ channel }}_closed as (
    select count(*) as closed_count
    from {{ ref(fact) }} as item
    inner join scope on item.quarter = scope.quarter and {{ in_quarter('item.finished_at') }}
),

-- The items that the last quarter's published facts left open, and those open in this quarter.
{{ channel }}_carried as (
    select
        scope.quarter,
        item.unit_code,
        1 as left_open,
        0 as found_open
    from {{ source('raw', 'previous_open_item') }} as item
    cross join scope
    where item.channel = '{{ channel }}' and {{ open_at_start }}
    union all
    select
        scope.quarter,
        item.unit_code,
        0 as left_open,
        1 as found_open
    from {{ ref(staged) }} as item
    cross join scope
    where
        item.row_status = 'accepted'
        and {{ open_at_start }}
        and exists (select 1 from last_figure)
),

{% endfor -%}
balance as (
    {% for channel in channels -%}
    select
        flow.quarter,
        'quarter_flow' as control_id,
        '{{ channel }}' as subject,
        'closing_count' as measure,
        coalesce(flow.opening_count, 0) + coalesce(flow.received_count, 0)
        - closed.closed_count as expected,
        coalesce(flow.closing_count, 0) as actual
    from {{ channel }}_flow as flow
    cross join {{ channel }}_closed as closed
    {{ 'union all' if not loop.last }}
    {% endfor -%}
),

carried as (
    {% for channel in channels -%}
    select
        quarter,
        'quarter_carry' as control_id,
        unit_code as subject,
        '{{ channel }}.opening_count' as measure,
        sum(left_open) as expected,
        sum(found_open) as actual
    from {{ channel }}_carried
    group by quarter, unit_code
    {{ 'union all' if not loop.last }}
    {% endfor -%}
),

figure as (
    {% for control_id, marts in jumps.items() -%}
    {% set outer_loop = loop -%}
    {% for mart, (subject, prefix, measures) in marts.items() -%}
    select
        '{{ control_id }}' as control_id,
        '{{ mart }}' as mart,
        quarter,
        subject,
        '{{ prefix }}' || measure as measure,
        measure as mart_measure,
        value
    from ({{ long_rows(ref(mart), subject, measures) }}) as {{ control_id }}_{{ mart }}
    {{ 'union all' if not (loop.last and outer_loop.last) }}
    {% endfor -%}
    {% endfor -%}
),

-- A count's change is relative to the smaller of the two counts, but to 10 at least. From 10 on its
-- size exceeds 1 if the count more than doubles or falls below half. Rates and the index change in
-- points. The index of a unit with nothing due isn't compared.
jump as (
    select
        scope.quarter,
        this.control_id,
        this.subject,
        this.measure,
        0 as expected,
        case
            when this.control_id = 'jump_count'
                then round(
                    cast(
                        cast(this.value - previous.value as decimal(18, 6))
                        / greatest(least(this.value, previous.value), 10)
                        as decimal(18, 9)
                    ),
                    6
                )
            else this.value - previous.value
        end as actual
    from scope
    inner join figure as this on scope.quarter = this.quarter
    inner join last_figure as previous
        on
            this.mart = previous.mart
            and this.subject = previous.subject
            and this.mart_measure = previous.measure
    left join {{ ref('hotline_unit_quarter') }} as idle
        on
            this.control_id = 'jump_index'
            and this.subject = idle.unit_code
            and scope.quarter = idle.quarter
            and not idle.is_rated
    left join last_figure as was_idle
        on
            this.control_id = 'jump_index'
            and was_idle.mart = 'hotline_unit_quarter'
            and this.subject = was_idle.subject
            and was_idle.measure = 'due_count'
            and was_idle.value = 0
    where
        idle.unit_code is null
        and was_idle.subject is null
        and this.value is not null
        and previous.value is not null
),

compared as (
    {% for part in ['comparative', 'balance', 'carried', 'jump'] -%}
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
