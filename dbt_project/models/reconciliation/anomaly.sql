-- A row with readable but implausible times, by an anomaly's code. An anomaly excludes nothing: the
-- row's status decides whether it counts. The contract sets the bounds; an unset bound isn't
-- checked.
{{ config(
    materialized='incremental', incremental_strategy='append', partition_by='quarter',
    pre_hook='{{ clear_quarter() }}'
) }}

{% set times = {
    'stg_ticket': [
        'ticket', ['received_at', 'dispatched_at', 'deadline_at', 'finished_at', 'called_back_at']
    ],
    'stg_letter': ['mailbox', ['dispatched_at', 'deadline_at', 'finished_at']],
    'stg_suggestion': ['suggestion', ['dispatched_at', 'deadline_at', 'finished_at']]
} %}
{% set shortest = "contract.shortest_handling_minutes * interval '1' minute" %}

with found as (
    {% for model, (source_name, columns) in times.items() -%}
    {% set years = [] -%}
    {% for column in columns -%}
    {% do years.append(
        'extract(year from item.' ~ column ~ ') not between contract.first_year and contract.last_year'
    ) -%}
    {% endfor -%}
    {% set anomalies = {
        'implausible_year': years | join(' or '),
        'deadline_before_dispatched': is_before('item.deadline_at', 'item.dispatched_at'),
        'finished_before_dispatched': is_before('item.finished_at', 'item.dispatched_at'),
        'finished_too_soon': moment('item.finished_at') ~ ' >= ' ~ moment('item.dispatched_at')
            ~ ' and ' ~ moment('item.finished_at') ~ ' < ' ~ moment('item.dispatched_at') ~ ' + ' ~ shortest
            ~ ' and item.finished_at <> cast(cast(item.dispatched_at as date) as timestamp)'
    } -%}
    {% if 'called_back_at' in columns -%}
    {% do anomalies.update(
        {'called_back_before_finished': is_before('item.called_back_at', 'item.finished_at')}
    ) -%}
    {% endif -%}
    {% for code, condition in anomalies.items() -%}
    {#- An impossible year may be why a row is out of scope, so it is shown for such rows too. -#}
    {% set is_shown = {'implausible_year': "<> 'duplicate'"} -%}
    select
        '{{ source_name }}' as source,
        item.file_sha256,
        item.row_number,
        '{{ code }}' as anomaly_code
    from {{ ref(model) }} as item
    inner join {{ source('raw', 'contract') }} as contract on contract.source = '{{ source_name }}'
    where
        item.row_status {{ is_shown.get(code, "in ('accepted', 'rejected')") }}
        and ({{ condition }})
    {{ 'union all' if not loop.last }}
    {% endfor -%}
    {{ 'union all' if not loop.last }}
    {% endfor -%}
)

select
    scope.quarter,
    found.source,
    found.file_sha256,
    found.row_number,
    found.anomaly_code
from found
cross join {{ source('raw', 'run_scope') }} as scope
