-- The bulletin against itself: totals, rates, names, and what two places say of one thing.
with figure as (
    select
        quarter,
        table_name,
        table_row,
        printed_name,
        is_total,
        control_id,
        subject,
        measure,
        printed_value as value
    from {{ ref('published_figure') }}
),

-- Each control's printed figures of one row, side by side.
line as (
    select
        quarter,
        control_id,
        subject,
        max(value) filter (where measure = 'due_count') as due_count,
        max(value) filter (where measure = 'distinct_item_count') as distinct_item_count,
        max(value) filter (where measure = 'handled_count') as handled_count,
        max(value) filter (where measure = 'on_time_count') as on_time_count,
        max(value) filter (where measure = 'rework_count') as rework_count
    from figure
    where subject is not null
    group by quarter, control_id, subject
)
select 1
