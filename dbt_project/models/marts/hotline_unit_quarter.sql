-- A unit in a quarter on the hotline: each unit of an evaluation group, even with nothing due, and
-- any other unit with due tickets or callbacks.
with indexed as (
    select distinct
        subject,
        policy_version,
        composite_index
    from {{ ref('int_hotline_index_point') }}
),

marked as (
    select
        counts.*,
        unit.unit_name,
        unit.evaluation_group,
        indexed.composite_index,
        indexed.policy_version,
        counts.due_count > 0 as is_rated
    from {{ ref('int_hotline_count') }} as counts
    left join {{ ref('dim_unit') }} as unit on counts.subject = unit.unit_code
    left join indexed on counts.subject = indexed.subject
    where counts.subject != 'district'
)

select
    quarter,
    subject as unit_code,
    unit_name,
    evaluation_group,
    due_count,
    handled_count,
    {{ rate('handled_count', 'due_count') }} as completion_rate,
    on_time_count,
    {{ rate('on_time_count', 'due_count') }} as on_time_rate,
    rework_count,
    {{ rate('rework_count', 'due_count') }} as rework_rate,
    callback_count,
    dissatisfied_count,
    {{ rate('dissatisfied_count', 'callback_count') }} as dissatisfaction_rate,
    composite_index,
    is_rated,
    case
        when is_rated
            then cast(rank() over (
                partition by is_rated, evaluation_group
                order by composite_index desc
            ) as bigint)
    end as rank_in_group,
    policy_version
from marked
order by unit_code
