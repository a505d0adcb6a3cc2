-- The macro ratio over a million pairs and over known ties, against what rounding half up means:
-- k is n/d rounded to 4 digits exactly when (2k - 1)d <= 20000n < (2k + 1)d, in integers only.
with digit (d) as (
    values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)
),

hundred as (
    select 10 * tens.d + ones.d as d
    from digit as tens
    cross join digit as ones
),

pair as (
    select
        cast(100 * left_hundred.d + left_one.d as bigint) as n,
        cast(100 * right_hundred.d + right_one.d + 1 as bigint) as d
    from digit as left_hundred
    cross join hundred as left_one
    cross join digit as right_hundred
    cross join hundred as right_one
    union all
    values (201, 20000), (1, 20000), (3, 20000), (19999, 20000), (2000000001, 4000000000)
),

rounded as (
    select
        n,
        d,
        cast({{ ratio('n', 'd') }} * 10000 as bigint) as k,
        {{ ratio('-n', 'd') }} + {{ ratio('n', 'd') }} as asymmetry
    from pair
)

select *
from rounded
where
    not ((2 * k - 1) * d <= 20000 * n and 20000 * n < (2 * k + 1) * d)
    or asymmetry != 0
    or {{ ratio('n', '(d - d)') }} is not null
