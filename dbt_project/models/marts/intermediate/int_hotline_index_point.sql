-- A subject (unit or `district`) and a component of its index: counts, points, and the index.
--
-- The exact index is a sum of fractions; a rate is kept to 18 decimals and the sum rounded at 15,
-- which takes the error of thirds and sevenths away, so that a tie (95.65) is a tie. The points
-- that readers see have 4 decimals and must add up to the index before rounding. Rounding each by
-- itself would not: the sum could pass a tie that the exact index doesn't reach. So each component
-- is cut to 4 decimals and what the exact index, cut likewise, still lacks goes to the largest
-- remainders. A cut index has the digits that rounding to 1 decimal looks at, so the index is the
-- points' sum rounded half up.
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

-- In units of 0.0001 points, so that cutting is a floor and sharing out is counting.
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
