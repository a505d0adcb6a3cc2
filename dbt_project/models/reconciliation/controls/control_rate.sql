-- Rates, shares and the index, each computed independently of the marts' integer arithmetic.
with figure as (
    select
        mart,
        quarter,
        subject,
        measure,
        value
    from {{ ref('mart_figure') }}
),

quotient (control_id, mart, measure, numerator, denominator) as (
    values
    {% for mart in ['hotline_unit_quarter', 'hotline_district_quarter'] -%}
    ('rate_hotline', '{{ mart }}', 'completion_rate', 'handled_count', 'due_count'),
    ('rate_hotline', '{{ mart }}', 'on_time_rate', 'on_time_count', 'due_count'),
    ('rate_hotline', '{{ mart }}', 'rework_rate', 'rework_count', 'due_count'),
    (
        'rate_hotline', '{{ mart }}', 'dissatisfaction_rate', 'dissatisfied_count', 'callback_count'
    ){{ ',' if not loop.last }}
    {% endfor -%}
),

rate as (
    select
        figure.quarter,
        quotient.control_id,
        figure.subject,
        quotient.measure,
        {{ checked_rate('numerator.value', 'denominator.value') }} as expected,
        figure.value as actual
    from quotient
    inner join figure on quotient.mart = figure.mart and quotient.measure = figure.measure
    inner join figure as numerator
        on
            quotient.mart = numerator.mart
            and quotient.numerator = numerator.measure
            and figure.subject = numerator.subject
    inner join figure as denominator
        on
            quotient.mart = denominator.mart
            and quotient.denominator = denominator.measure
            and figure.subject = denominator.subject
),

share as (
    select
        part.quarter,
        'rate_share' as control_id,
        part.subject,
        part.mart || '.share' as measure,
        {{ checked_rate('part.value', 'district.value') }} as expected,
        share.value as actual
    from figure as part
    inner join figure as share
        on part.mart = share.mart and part.subject = share.subject and share.measure = 'share'
    inner join figure as district
        on district.mart = 'hotline_district_quarter' and district.measure = 'due_count'
    where part.measure = 'ticket_count'
),

answer as (
    select
        'hotline' as channel,
        ticket.callback_result as result
    from {{ ref('stg_ticket') }} as ticket
    inner join {{ source('raw', 'run_scope') }} as scope
        on {{ in_quarter('ticket.called_back_at') }}
    where ticket.row_status = 'accepted'
    union all
    select
        'mailbox' as channel,
        letter.satisfaction as result
    from {{ ref('stg_letter') }} as letter
    inner join {{ source('raw', 'run_scope') }} as scope
        on {{ in_quarter('letter.dispatched_at') }}
    where letter.row_status = 'accepted'
),

asked as (
    select
        channel,
        sum(case when result = 'dissatisfied' then 0 else 1 end) as satisfied_count,
        count(*) as answer_count
    from answer
    where result is not null
    group by channel
),

satisfaction as (
    select
        figure.quarter,
        'rate_satisfaction' as control_id,
        figure.subject,
        figure.measure,
        {{ checked_rate('asked.satisfied_count', 'asked.answer_count') }} as expected,
        figure.value as actual
    from figure
    left join asked
        on
            asked.channel
            = case when figure.subject = 'district' then 'hotline' else figure.subject end
    where figure.measure = 'satisfaction_rate'
),

policy as (
    select distinct
        quarter,
        index_scale
    from {{ ref('dim_index_item') }}
),

component_sum as (
    select
        component.quarter,
        component.unit_code as subject,
        {{ round_index('sum(component.points)', 'max(policy.index_scale)') }} as value
    from {{ ref('index_component_unit_quarter') }} as component
    inner join policy on component.quarter = policy.quarter
    group by component.quarter, component.unit_code
),

-- A plain quotient may be floating point. Nine decimals are far above its error, so ties stay ties.
scored as (
    select
        numerator.quarter,
        numerator.mart,
        numerator.subject,
        item.index_scale,
        item.kind,
        item.weight,
        coalesce(numerator.value / nullif(denominator.value, 0), item.rate_when_empty) as rate
    from {{ ref('dim_index_item') }} as item
    inner join figure as numerator on item.numerator = numerator.measure
    inner join figure as denominator
        on
            item.denominator = denominator.measure
            and numerator.mart = denominator.mart
            and numerator.subject = denominator.subject
    where numerator.mart in ('hotline_unit_quarter', 'hotline_district_quarter')
),

formula as (
    select
        mart,
        subject,
        {{ round_index(
            "cast(100 * sum(weight * case kind when 'rate' then rate "
            ~ "when 'complement' then 1 - rate end) as decimal(18, 9))",
            'max(index_scale)'
        ) }} as value
    from scored
    group by mart, subject
),

index_value as (
    select
        figure.quarter,
        'index_formula' as control_id,
        figure.subject,
        figure.measure,
        formula.value as expected,
        figure.value as actual
    from figure
    left join formula on figure.mart = formula.mart and figure.subject = formula.subject
    where figure.measure = 'composite_index'
    union all
    select
        figure.quarter,
        'index_component' as control_id,
        figure.subject,
        figure.measure,
        component_sum.value as expected,
        figure.value as actual
    from figure
    left join component_sum
        on figure.quarter = component_sum.quarter and figure.subject = component_sum.subject
    where figure.measure = 'composite_index' and figure.mart = 'hotline_unit_quarter'
),

-- Cast before the union: DuckDB drops decimals in a union of wide decimals of different scale.
compared as (
    {% for part in ['rate', 'share', 'satisfaction', 'index_value'] -%}
    select
        quarter,
        control_id,
        subject,
        measure,
        cast(expected as decimal(18, 6)) as expected,
        cast(actual as decimal(18, 6)) as actual
    from {{ part }}
    {{ 'union all' if not loop.last }}
    {% endfor -%}
)

{{ both_sides('compared') }}
