-- A subject (unit or `district`) and a component of its index: counts, points, and the index.
--
-- The exact index is a sum of fractions. A rate is kept to 18 decimals and the sum is rounded at
-- 15, which removes the error of thirds and sevenths, so that a tie (95.65) stays a tie. The points
-- that readers see have 4 decimals and must add up to the index before rounding. If each were
-- rounded separately, their sum could pass a tie that the exact index doesn't reach. Therefore each
-- component is truncated to 4 decimals. What is then missing from the exact index, truncated in the
-- same way, goes to the components with the largest remainders. A truncated index keeps the digits
-- that rounding to 1 decimal depends on, so the index is the sum of the points, rounded half up.
with counted as (
    select
        counts.quarter,
        counts.subject,
        item.policy_version,
        item.index_scale,
        item.component,
        item.display_order,
        item.kind,
        item.weight,
        item.rate_when_empty,
        {{ hotline_count_named('item.numerator', 'counts') }} as numerator,
        {{ hotline_count_named('item.denominator', 'counts') }} as denominator
    from {{ ref('int_hotline_count') }} as counts
    inner join {{ ref('dim_index_item') }} as item on counts.quarter = item.quarter
),

scored as (
    select
        *,
        cast(
            coalesce({{ ratio('numerator', 'denominator', 18) }}, rate_when_empty)
            as decimal(24, 18)
        ) as scored_rate
    from counted
),

-- In units of 0.0001 points, so that truncating is a floor and distributing is counting.
exact as (
    select
        *,
        10000 * cast(
            100 * weight
            * case kind when 'rate' then scored_rate when 'complement' then 1 - scored_rate end
            as decimal(24, 18)
        ) as exact_units
    from scored
),

cut as (
    select
        *,
        floor(exact_units) as whole_units,
        floor(round(sum(exact_units) over subject_window, 11))
        - sum(floor(exact_units)) over subject_window as lacking_units,
        row_number() over (
            partition by subject
            order by exact_units - floor(exact_units) desc, display_order asc, component asc
        ) as remainder_rank
    from exact
    window subject_window as (partition by subject)
),

shared as (
    select
        *,
        cast(
            (whole_units + case when remainder_rank <= lacking_units then 1 else 0 end) * 0.0001
            as decimal(7, 4)
        ) as points
    from cut
)

select
    quarter,
    subject,
    policy_version,
    component,
    display_order,
    numerator,
    denominator,
    {{ rate('numerator', 'denominator') }} as rate,
    weight,
    points,
    {{ round_index('sum(points) over (partition by subject)', 'index_scale') }} as composite_index
from shared
