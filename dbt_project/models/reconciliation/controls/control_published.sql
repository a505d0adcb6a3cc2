-- Every figure of the published bulletin against the marts; no rows without a published bulletin.
-- Figures that only the bulletin itself can confirm (bulletin_…) are compared by their own control.
with printed as (
    select
        quarter,
        table_name,
        table_row,
        printed_name,
        printed_measure,
        printed_value,
        case when subject is not null then control_id end as control_id,
        subject,
        measure
    from {{ ref('published_figure') }}
),

mapping as (
    select distinct
        control_id,
        mart,
        subject,
        measure
    from {{ ref('published_measure') }}
),

-- The bulletin prints a rate without a denominator as the policy scores it (0%); marts have null.
figure as (
    select
        mart.mart,
        mart.quarter,
        mart.subject,
        mart.measure,
        coalesce(mart.value, item.rate_when_empty) as value
    from {{ ref('mart_figure') }} as mart
    left join {{ ref('dim_index_item') }} as item on mart.measure = item.component || '_rate'
)

select
    quarter,
    coalesce(control_id, 'published_unmapped') as control_id,
    'expected' as side,
    case
        when control_id is null then table_name || '/' || table_row || '/' || printed_name
        else subject
    end as subject,
    case when control_id is null then printed_measure else measure end as measure,
    printed_value as value
from printed
where coalesce(control_id, '') not like 'bulletin%'
union all
select
    figure.quarter,
    mapping.control_id,
    'actual' as side,
    figure.subject,
    figure.measure,
    figure.value
from figure
inner join {{ source('raw', 'run_scope') }} as scope
    on figure.quarter = scope.quarter and scope.has_bulletin
inner join mapping
    on
        figure.mart = mapping.mart
        and figure.measure = mapping.measure
        and (mapping.subject = '*' or figure.subject = mapping.subject)
where figure.value is not null
