-- A figure of the bulletin with the control, subject and measure that it is compared under. Without
-- a mapping all three are null; if the mapping asks for a unit and none is known, the subject is.

-- In a mapping, 合计 means any printed total ("合计（55）", "总计"), and * any other name, which must be
-- a unit's.
with figure as (
    select
        *,
        printed_name like '合计%' or printed_name like '总计%' as is_total
    from {{ ref('stg_published_figure') }}
    where row_status = 'accepted'
),

mapped as (
    select
        figure.table_name,
        figure.table_row,
        figure.evaluation_group,
        figure.printed_name,
        figure.printed_measure,
        figure.printed_value,
        figure.is_total,
        mapping.control_id,
        mapping.measure,
        case when mapping.subject = '*' then figure.unit_code else mapping.subject end as subject
    from figure
    left join {{ ref('published_measure') }} as mapping
        on
            figure.table_name = mapping.table_name
            and figure.printed_measure = mapping.printed_measure
            and (
                figure.printed_name = mapping.printed_name
                or (mapping.printed_name = '合计' and figure.is_total)
                or (mapping.printed_name = '*' and not figure.is_total)
            )
)

select
    scope.quarter,
    mapped.table_name,
    mapped.table_row,
    mapped.printed_name,
    mapped.printed_measure,
    mapped.printed_value,
    mapped.is_total,
    mapped.control_id,
    mapped.subject,
    mapped.measure
from mapped
cross join {{ source('raw', 'run_scope') }} as scope
where scope.has_bulletin
