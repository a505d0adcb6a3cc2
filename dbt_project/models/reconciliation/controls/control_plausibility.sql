-- Plausibility: how many rows of a source weren't counted, how empty its columns are, and what is
-- due compared with other published quarters. The tolerances are the source's own bounds
-- (raw.contract_bound). They apply to at least 100 rows (20 for empty cells), so that a small
-- source may have a stray row.
{% set sources = {
    'ticket': ['stg_ticket', 'work_order_id', [
        'received_at', 'evaluation_group', 'request_type', 'category', 'deadline_at', 'finished_at',
        'called_back_at', 'callback_result'
    ]],
    'mailbox': ['stg_letter', 'letter_id', [
        'mailbox', 'deadline_at', 'finished_at', 'satisfaction'
    ]],
    'suggestion': ['stg_suggestion', 'suggestion_id', ['deadline_at', 'finished_at']]
} %}
{% set gave_way = ['conflicting_count', 'duplicate_count', 'out_of_scope_count'] %}
{% set due_items = {
    'fct_ticket': ['ticket', 'item.work_order_id'],
    'fct_letter': ['mailbox', 'item.letter_id'],
    'fct_suggestion_assignment': ['suggestion', "item.suggestion_id || '/' || item.unit_code"]
} %}

with scope as (
    select quarter
    from {{ source('raw', 'run_scope') }}
),

{% for source_name, (model, identity, columns) in sources.items() -%}
{{ source_name }}_count as (
    select
        count(*) as read_count,
        count(*) filter (where {{ identity }}_reason = 'conflicting_duplicate')
            as conflicting_count,
        count(*) filter (where row_status = 'duplicate') as duplicate_count,
        -- A total or a footnote is out of scope too, but it isn't a record.
        count(*) filter (where row_status = 'out_of_scope' and row_defect is null)
            as out_of_scope_count,
        {% for column in columns -%}
        count(*) filter (where row_status = 'accepted' and {{ column }} is null)
            as {{ column }}_empty_count,
        {% endfor -%}
        count(*) filter (where row_status = 'accepted') as accepted_count
    from {{ ref(model) }}
),

{% endfor -%}
counted as (
    {% for source_name, (model, identity, columns) in sources.items() -%}
    {% for measure in gave_way -%}
    select
        '{{ source_name }}' as source,
        'share_{{ measure.removesuffix('_count') }}' as control_id,
        '{{ measure }}' as measure,
        {{ measure }} as row_count,
        read_count as whole_count,
        100 as least_count
    from {{ source_name }}_count
    union all
    {% endfor -%}
    {% for column in columns -%}
    select
        '{{ source_name }}' as source,
        'share_empty' as control_id,
        '{{ column }}' as measure,
        {{ column }}_empty_count as row_count,
        accepted_count as whole_count,
        20 as least_count
    from {{ source_name }}_count
    {{ 'union all' if not loop.last }}
    {% endfor -%}
    {{ 'union all' if not loop.last }}
    {% endfor -%}
),

-- A column that the contract calls optional may be empty in every row.
share as (
    select
        counted.control_id,
        counted.source,
        counted.measure,
        counted.row_count as actual,
        bound.tolerance * greatest(counted.whole_count, counted.least_count) as tolerance,
        0 as expected
    from counted
    inner join {{ source('raw', 'contract_bound') }} as bound
        on counted.source = bound.source and counted.measure = bound.measure
    where not (bound.is_optional and counted.row_count = counted.whole_count)
),

due as (
    {% for fact, (source_name, item_id) in due_items.items() -%}
    select
        '{{ source_name }}' as source,
        {{ item_id }} as item_id
    from {{ ref(fact) }} as item
    inner join scope on item.quarter = scope.quarter
    where item.is_due
    {{ 'union all' if not loop.last }}
    {% endfor -%}
),

due_count as (
    select
        received.source,
        count(due.item_id) as row_count
    from (
        select distinct file.source
        from {{ ref('current_file') }} as file
        where file.source <> 'bulletin'
    ) as received
    left join due on received.source = due.source
    group by received.source
),

published_count as (
    select
        published.quarter,
        published.source,
        count(*) as row_count
    from {{ source('raw', 'published_due') }} as published
    group by published.quarter, published.source
),

last_published as (
    select max(published_count.quarter) as quarter
    from published_count
    cross join scope
    where published_count.quarter < scope.quarter
),

nothing_due as (
    select
        'nothing_due' as control_id,
        source,
        'due_count' as measure,
        row_count as actual,
        0 as tolerance,
        greatest(row_count, 1) as expected
    from due_count
),

-- Relative to the smaller count, so that half and double are equally far away.
source_size as (
    select
        'source_size' as control_id,
        due_count.source,
        'due_count' as measure,
        due_count.row_count as actual,
        bound.tolerance
        * greatest(least(due_count.row_count, published_count.row_count), 100) as tolerance,
        published_count.row_count as expected
    from due_count
    inner join published_count on due_count.source = published_count.source
    inner join last_published on published_count.quarter = last_published.quarter
    inner join {{ source('raw', 'contract_bound') }} as bound
        on due_count.source = bound.source and bound.measure = 'due_count'
),

due_twice as (
    select
        'due_twice' as control_id,
        published.source,
        published.quarter || '.due_count' as measure,
        count(due.item_id) as actual,
        0 as tolerance,
        0 as expected
    from {{ source('raw', 'published_due') }} as published
    left join due on published.source = due.source and published.item_id = due.item_id
    group by published.source, published.quarter
),

compared as (
    {% for part in ['share', 'nothing_due', 'source_size', 'due_twice'] -%}
    select
        scope.quarter,
        {{ part }}.control_id,
        {{ part }}.source as subject,
        {{ part }}.measure,
        cast({{ part }}.expected as decimal(18, 6)) as expected,
        cast({{ part }}.actual as decimal(18, 6)) as actual,
        cast({{ part }}.tolerance as decimal(18, 6)) as tolerance
    from {{ part }}
    cross join scope
    {{ 'union all' if not loop.last }}
    {% endfor -%}
)

{{ both_sides('compared') }}
union all
select
    quarter,
    control_id,
    'tolerance' as side,
    subject,
    measure,
    tolerance as value
from compared
