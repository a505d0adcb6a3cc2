-- The hotline counts of a subject in the run's quarter: each unit, and `district` for all together.
with scope as (
    select quarter from {{ source('raw', 'run_scope') }}
),

ticket as (
    select
        unit_code,
        count(*) filter (where is_due) as due_count,
        count(*) filter (where is_handled) as handled_count,
        count(*) filter (where is_on_time) as on_time_count,
        count(*) filter (where is_rework) as rework_count
    from {{ ref('fct_ticket') }}
    where quarter in (select scope.quarter from scope)
    group by unit_code
),

callback as (
    select
        unit_code,
        count(*) as callback_count,
        count(*) filter (where is_dissatisfied) as dissatisfied_count
    from {{ ref('fct_callback') }}
    where quarter in (select scope.quarter from scope)
    group by unit_code
),

-- A unit of a group is included even with nothing due, another unit with due tickets or callbacks.
subject_unit as (
    select unit_code from {{ ref('dim_unit') }}
    where evaluation_group is not null and is_listed
    union
    select unit_code from ticket
    where due_count > 0
    union
    select unit_code from callback
),

by_unit as (
    select
        {% for measure in hotline_counts() -%}
        coalesce({{ measure }}, 0) as {{ measure }},
        {% endfor -%}
        subject_unit.unit_code
    from subject_unit
    left join ticket on subject_unit.unit_code = ticket.unit_code
    left join callback on subject_unit.unit_code = callback.unit_code
),

subject as (
    select
        {% for measure in hotline_counts() -%}
        {{ measure }},
        {% endfor -%}
        unit_code as subject,
        1 as unit_count
    from by_unit
    union all
    select
        {% for measure in hotline_counts() -%}
        cast(coalesce(sum({{ measure }}), 0) as bigint) as {{ measure }},
        {% endfor -%}
        'district' as subject,
        count(*) as unit_count
    from by_unit
)

select
    scope.quarter,
    subject.*
from subject
cross join scope
