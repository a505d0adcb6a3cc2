-- A control in a run: expected against actual, joined so that figures missing on one side are seen.
-- Append-only: no run's results are ever deleted, not even by a full refresh.
{{ config(materialized='incremental', incremental_strategy='append', full_refresh=false) }}

with control_side as (
    {% for model in [
        'control_row', 'control_recount', 'control_total', 'control_bound', 'control_rate',
        'control_published', 'control_bulletin', 'control_quarter', 'control_version',
        'control_plausibility'
    ] -%}
    select
        quarter,
        control_id,
        side,
        subject,
        measure,
        value
    from {{ ref(model) }}
    where value is not null
    {{ 'union all' if not loop.last }}
    {% endfor -%}
),

expected as (
    select * from control_side
    where side = 'expected'
),

actual as (
    select * from control_side
    where side = 'actual'
),

-- A control's tolerance comes from the list of controls, unless the source's contract states one.
stated as (
    select * from control_side
    where side = 'tolerance'
),

compared as (
    select
        coalesce(expected.quarter, actual.quarter) as quarter,
        coalesce(expected.control_id, actual.control_id) as control_id,
        coalesce(expected.subject, actual.subject) as subject,
        coalesce(expected.measure, actual.measure) as measure,
        expected.value as expected,
        actual.value as actual,
        actual.value - expected.value as difference
    from expected
    full outer join actual
        on
            expected.quarter = actual.quarter
            and expected.control_id = actual.control_id
            and expected.subject = actual.subject
            and expected.measure = actual.measure
),

-- A control's `explained_by` names what may explain a difference. A known discrepancy explains
-- exactly what it records: if a figure changes, it no longer does. If nothing is expected there is
-- no difference, and its record holds the actual figure instead. Rejected rows are explained while
-- the source's contract tolerates them. Callbacks in excess of the due tickets are explained by
-- callbacks on tickets of earlier quarters. A reason is given by the operator for this run.
reasoned as (
    select
        scope.run_id,
        scope.started_at,
        compared.quarter,
        compared.control_id,
        control.control_group,
        compared.subject,
        compared.measure,
        compared.expected,
        compared.actual,
        compared.difference,
        coalesce(stated.value, control.tolerance) as tolerance,
        control.severity,
        coalesce(
            known.reason,
            tolerated.reason,
            earlier.reason,
            case when control.explained_by = 'reason' then scope.reason end
        ) as reason
    from compared
    cross join {{ source('raw', 'run_scope') }} as scope
    left join {{ ref('control') }} as control on compared.control_id = control.control_id
    left join stated
        on
            compared.quarter = stated.quarter
            and compared.control_id = stated.control_id
            and compared.subject = stated.subject
            and compared.measure = stated.measure
    left join {{ ref('known_discrepancy') }} as known
        on
            control.explained_by = 'register'
            and compared.quarter = known.quarter
            and compared.control_id = known.control_id
            and compared.subject = known.subject
            and compared.measure = known.measure
            and compared.expected is not distinct from known.expected
            and coalesce(
                compared.difference,
                case when compared.expected is null then compared.actual end
            ) is not distinct from known.difference
            and known.expires_on >= cast(scope.started_at as date)
    left join {{ ref('tolerated_rejection') }} as tolerated
        on
            control.explained_by = 'tolerance'
            and compared.quarter = tolerated.quarter
            and compared.subject = tolerated.subject
    left join {{ ref('earlier_callback') }} as earlier
        on
            control.explained_by = 'earlier_callback'
            and compared.quarter = earlier.quarter
            and compared.subject = earlier.subject
            and compared.actual <= earlier.callback_count
    where control.is_exhaustive is distinct from false or compared.expected is not null
),

judged as (
    select
        *,
        case
            when abs(difference) <= tolerance then 'match'
            when reason is not null then 'explained'
            when expected is null then 'missing_expected'
            when actual is null then 'missing_actual'
            else 'unexplained'
        end as status
    from reasoned
)

select
    run_id,
    quarter,
    control_id,
    control_group,
    subject,
    measure,
    cast(expected as decimal(18, 6)) as expected,
    cast(actual as decimal(18, 6)) as actual,
    cast(difference as decimal(18, 6)) as difference,
    cast(tolerance as decimal(18, 6)) as tolerance,
    severity,
    status,
    case when status = 'explained' then reason end as explanation,
    started_at as checked_at
from judged
{% if is_incremental() -%}
-- A manual build, which has no run of its own, adds nothing to the last run's results.
where run_id not in (select earlier.run_id from {{ this }} as earlier)
{% endif -%}
order by control_id, subject, measure
