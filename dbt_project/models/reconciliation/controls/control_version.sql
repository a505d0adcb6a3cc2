-- The figures of the marts against those of the quarter's last published version: how many differ
-- in each mart, and each figure that differs. Nothing differs while a quarter has no version.
{{ config(materialized='table') }}

{% set marts = [
    'hotline_unit_quarter', 'hotline_district_quarter', 'index_component_unit_quarter',
    'hotline_request_type_quarter', 'hotline_category_quarter', 'mailbox_unit_quarter',
    'mailbox_unit_mailbox_quarter', 'suggestion_unit_quarter', 'channel_quarter', 'unit_quarter'
] %}

with figure as (
    {% for mart in marts -%}
    select
        '{{ mart }}' as mart,
        quarter,
        subject,
        measure,
        value
    from ({{ mart_rows(mart) }}) as {{ mart }}
    {{ 'union all' if not loop.last }}
    {% endfor -%}
),

current_figure as (
    select
        figure.mart,
        figure.quarter,
        figure.subject,
        figure.measure,
        figure.value
    from figure
    inner join {{ source('raw', 'run_scope') }} as scope on figure.quarter = scope.quarter
    where figure.value is not null
),

last_figure as (
    select
        figure.mart,
        figure.quarter,
        figure.subject,
        figure.measure,
        figure.value
    from {{ source('raw', 'last_version_figure') }} as figure
    inner join {{ source('raw', 'run_scope') }} as scope on figure.quarter = scope.quarter
),

changed as (
    select
        coalesce(last_version.mart, current_figure.mart) as mart,
        coalesce(last_version.quarter, current_figure.quarter) as quarter,
        coalesce(last_version.subject, current_figure.subject) as subject,
        coalesce(last_version.measure, current_figure.measure) as measure,
        last_version.value as expected,
        current_figure.value as actual
    from last_figure as last_version
    full outer join current_figure
        on
            last_version.mart = current_figure.mart
            and last_version.quarter = current_figure.quarter
            and last_version.subject = current_figure.subject
            and last_version.measure = current_figure.measure
    where
        last_version.value is distinct from current_figure.value
        and exists (select 1 from last_figure)
),

compared as (
    select
        scope.quarter,
        mart.mart as subject,
        'changed_figure_count' as measure,
        0 as expected,
        count(changed.measure) as actual
    from (
        values
        {% for mart in marts -%}
        ('{{ mart }}'){{ ',' if not loop.last }}
        {% endfor -%}
    ) as mart (mart)
    cross join {{ source('raw', 'run_scope') }} as scope
    left join changed on mart.mart = changed.mart
    group by scope.quarter, mart.mart
    union all
    select
        quarter,
        subject,
        mart || '.' || measure as measure,
        expected,
        actual
    from changed
),

control as (
    select
        *,
        'last_version' as control_id
    from compared
)

{{ both_sides('control') }}
