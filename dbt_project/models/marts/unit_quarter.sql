-- A unit in a quarter, with all channels in one row: each unit of the district, even without items.
-- A unit that has ended is listed only with items.
with joined as (
    select
        unit.quarter,
        unit.unit_code,
        unit.unit_name,
        unit.evaluation_group,
        unit.is_listed,
        coalesce(hotline.due_count, 0) as hotline_due_count,
        hotline.composite_index as hotline_composite_index,
        coalesce(mailbox.due_count, 0) as mailbox_due_count,
        coalesce(mailbox.on_time_count, 0) as mailbox_on_time_count,
        coalesce(suggestion.due_count, 0) as suggestion_due_count,
        coalesce(suggestion.on_time_count, 0) as suggestion_on_time_count
    from {{ ref('dim_unit') }} as unit
    left join {{ ref('hotline_unit_quarter') }} as hotline
        on unit.quarter = hotline.quarter and unit.unit_code = hotline.unit_code
    left join {{ ref('mailbox_unit_quarter') }} as mailbox
        on unit.quarter = mailbox.quarter and unit.unit_code = mailbox.unit_code
    left join {{ ref('suggestion_unit_quarter') }} as suggestion
        on unit.quarter = suggestion.quarter and unit.unit_code = suggestion.unit_code
)

select
    quarter,
    unit_code,
    unit_name,
    evaluation_group,
    hotline_due_count,
    hotline_composite_index,
    mailbox_due_count,
    mailbox_on_time_count,
    suggestion_due_count,
    suggestion_on_time_count,
    hotline_due_count + mailbox_due_count + suggestion_due_count as total_due_count
from joined
where is_listed or hotline_due_count + mailbox_due_count + suggestion_due_count > 0
order by unit_code
