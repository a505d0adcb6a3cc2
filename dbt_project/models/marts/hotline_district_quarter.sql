-- The district in a quarter on the hotline: its units' counts pooled, never an average of rates.
with indexed as (
    select distinct composite_index
    from {{ ref('int_hotline_index_point') }}
    where subject = 'district'
)

select
    counts.quarter,
    counts.due_count,
    counts.handled_count,
    {{ rate('counts.handled_count', 'counts.due_count') }} as completion_rate,
    counts.on_time_count,
    {{ rate('counts.on_time_count', 'counts.due_count') }} as on_time_rate,
    counts.rework_count,
    {{ rate('counts.rework_count', 'counts.due_count') }} as rework_rate,
    counts.callback_count,
    counts.dissatisfied_count,
    {{ rate('counts.dissatisfied_count', 'counts.callback_count') }} as dissatisfaction_rate,
    indexed.composite_index,
    counts.unit_count,
    {{ rate('(counts.callback_count - counts.dissatisfied_count)', 'counts.callback_count') }}
        as satisfaction_rate
from {{ ref('int_hotline_count') }} as counts
cross join indexed
where counts.subject = 'district'
