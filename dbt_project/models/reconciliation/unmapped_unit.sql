-- A written unit name without an alias, for the people who keep the aliases. Its rows are rejected.
-- Names in the bulletin are shown by the control published_unmapped.
{{ config(materialized='table') }}

with unknown as (
    select
        'ticket' as source,
        written_name,
        evaluation_group
    from {{ ref('stg_ticket') }}
    where row_status = 'rejected' and unit_name_reason = 'unknown_unit'
    {% for source_name, model in [('mailbox', 'stg_letter'), ('suggestion', 'stg_suggestion')] -%}
    union all
    select
        '{{ source_name }}' as source,
        written_name,
        cast(null as {{ dbt.type_string() }}) as evaluation_group
    from {{ ref(model) }}
    where row_status = 'rejected' and unit_name_reason = 'unknown_unit'
    {% endfor -%}
)

select
    scope.quarter,
    unknown.source,
    unknown.written_name,
    unknown.evaluation_group,
    count(*) as row_count
from unknown
cross join {{ source('raw', 'run_scope') }} as scope
group by scope.quarter, unknown.source, unknown.written_name, unknown.evaluation_group
