-- A current file of a quarter, by source: the number of rows that were read, and of each status.
-- The rows read are the lake's count, not the sum of the statuses, so that the balance can fail.
{{ config(
    materialized='incremental', incremental_strategy='append', partition_by='quarter',
    pre_hook='{{ clear_quarter() }}'
) }}

with classed as (
    {% for source_name, model in [
        ('ticket', 'stg_ticket'),
        ('mailbox', 'stg_letter'),
        ('suggestion', 'stg_suggestion'),
        ('bulletin', 'stg_published_figure')
    ] -%}
    select
        '{{ source_name }}' as source,
        file_sha256,
        row_status
    from {{ ref(model) }}
    {{ 'union all' if not loop.last }}
    {% endfor -%}
),

counted as (
    select
        source,
        file_sha256,
        count(*) filter (where row_status = 'accepted') as accepted_count,
        count(*) filter (where row_status = 'rejected') as rejected_count,
        count(*) filter (where row_status = 'duplicate') as duplicate_count,
        count(*) filter (where row_status = 'out_of_scope') as out_of_scope_count
    from classed
    group by source, file_sha256
)

select
    file.quarter,
    file.source,
    file.file_sha256,
    file.row_count as read_count,
    coalesce(counted.accepted_count, 0) as accepted_count,
    coalesce(counted.rejected_count, 0) as rejected_count,
    coalesce(counted.duplicate_count, 0) as duplicate_count,
    coalesce(counted.out_of_scope_count, 0) as out_of_scope_count
from {{ ref('current_file') }} as file
left join counted
    on
        file.source = counted.source
        and file.file_sha256 = counted.file_sha256
