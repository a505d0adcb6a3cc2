-- A day from 2000 to 2099: the time spine that MetricFlow requires. It accepts no coarser grain.
with digit (n) as (
    values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)
),

number as (
    select ones.n + 10 * tens.n + 100 * hundreds.n + 1000 * thousands.n + 10000 * rest.n as n
    from digit as ones
    cross join digit as tens
    cross join digit as hundreds
    cross join digit as thousands
    cross join digit as rest
)

select cast(cast('2000-01-01' as date) + n * interval '1' day as date) as date_day
from number
where n < 36525
