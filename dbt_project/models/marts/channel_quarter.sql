-- A channel in a quarter, at two grains: items, and their assignments to units.
-- Suggestions are not rated by their authors, so that channel has no satisfaction rate.
with scope as (
    select quarter from {{ source('raw', 'run_scope') }}
),

item as (
    select
        'hotline' as channel,
        quarter,
        work_order_id as item_id,
        is_handled,
        is_on_time
    from {{ ref('fct_ticket') }}
    where is_due and quarter in (select scope.quarter from scope)
    union all
    select
        'mailbox' as channel,
        quarter,
        letter_id as item_id,
        is_handled,
        is_on_time
    from {{ ref('fct_letter') }}
    where is_due and quarter in (select scope.quarter from scope)
    union all
    select
        'suggestion' as channel,
        quarter,
        suggestion_id as item_id,
        is_handled,
        is_on_time
    from {{ ref('fct_suggestion_assignment') }}
    where is_due and quarter in (select scope.quarter from scope)
),

rating as (
    select
        'hotline' as channel,
        quarter,
        not is_dissatisfied as is_satisfied
    from {{ ref('fct_callback') }}
    where quarter in (select scope.quarter from scope)
    union all
    select
        'mailbox' as channel,
        quarter,
        satisfaction in ('satisfied', 'fairly_satisfied') as is_satisfied
    from {{ ref('fct_letter') }}
    where
        is_due
        and satisfaction is not null
        and quarter in (select scope.quarter from scope)
),

rated as (
    select
        channel,
        quarter,
        count(*) as rated_count,
        count(*) filter (where is_satisfied) as satisfied_count
    from rating
    group by channel, quarter
),

counted as (
    select
        channel,
        quarter,
        count(distinct item_id) as distinct_item_count,
        count(*) as assignment_count,
        count(*) filter (where is_handled) as handled_count,
        count(*) filter (where is_on_time) as on_time_count
    from item
    group by channel, quarter
)

select
    scope.quarter,
    channel.channel,
    coalesce(counted.distinct_item_count, 0) as distinct_item_count,
    coalesce(counted.assignment_count, 0) as assignment_count,
    coalesce(counted.handled_count, 0) as handled_count,
    coalesce(counted.on_time_count, 0) as on_time_count,
    {{ rate('rated.satisfied_count', 'rated.rated_count') }} as satisfaction_rate
from scope
cross join (values ('hotline'), ('mailbox'), ('suggestion')) as channel (channel)
left join counted on scope.quarter = counted.quarter and channel.channel = counted.channel
left join rated on scope.quarter = rated.quarter and channel.channel = rated.channel
order by channel.channel
