-- Counts in the marts: against a recount of the accepted rows, their totals, and one another.
with scope as (
    select * from {{ source('raw', 'run_scope') }}
),

figure as (
    select * from {{ ref('mart_figure') }}
    where value is not null
),

-- The recount takes another road than the marts: straight from staging, with its own conditions.
ticket as (
    select * from {{ ref('stg_ticket') }}
    where row_status = 'accepted'
),

hotline_recount as (
    select
        unit.quarter,
        unit.unit_code,
        sum(case when ticket.dispatched_at >= scope.quarter_start
            and ticket.dispatched_at < scope.quarter_end then 1 else 0 end) as due_count
    from {{ ref('dim_unit') }} as unit
    cross join scope
    left join ticket on unit.unit_code = ticket.unit_code
    group by unit.quarter, unit.unit_code
)
select 1
