{#- Exact fractions, rounded half up, without floats. Every printed digit is computed here. -#}

{#- numerator / denominator as decimal(38, scale); null if the denominator is 0 or null. Counts are
    integers. A negative numerator (a decrease) is rounded by its absolute value, as in 四舍五入. -#}
{% macro ratio(numerator, denominator, scale=4) -%}
    {{ return(adapter.dispatch('ratio')(numerator, denominator, scale)) }}
{%- endmacro %}

{% macro duckdb__ratio(numerator, denominator, scale) -%}
    {%- set unit = '0.' ~ '0' * (scale - 1) ~ '1' -%}
    cast(
        cast(
            sign({{ numerator }})
            * (
                (2 * cast(1{{ '0' * scale }} as hugeint) * abs({{ numerator }}) + {{ denominator }})
                // (2 * nullif({{ denominator }}, 0))
            ) as decimal(38, 0)
        ) * {{ unit }} as decimal(38, {{ scale }})
    )
{%- endmacro %}

{#- Spark has no wider integers, and its quotient of decimals keeps six decimals at most. The
    dividend is therefore made divisible, and the decimal point is set in the text of the whole
    number. -#}
{% macro spark__ratio(numerator, denominator, scale) -%}
    {%- set divisor = "(2 * cast(nullif(" ~ denominator ~ ", 0) as decimal(19, 0)))" -%}
    {%- set dividend = "(cast(2" ~ '0' * scale ~ " as decimal(" ~ (scale + 1) ~ ", 0)) * abs(cast("
        ~ numerator ~ " as decimal(19, 0))) + " ~ denominator ~ ")" -%}
    cast(
        concat(
            case when {{ numerator }} < 0 then '-' else '' end,
            cast(
                cast(
                    ({{ dividend }} - {{ dividend }} % {{ divisor }}) / {{ divisor }}
                    as decimal(38, 0)
                ) as string
            ),
            'e-{{ scale }}'
        ) as decimal(38, {{ scale }})
    )
{%- endmacro %}

{#- A rate as in the marts: a fraction with the four decimals that the bulletin prints. -#}
{% macro rate(numerator, denominator) -%}
    cast({{ ratio(numerator, denominator) }} as decimal(5, 4))
{%- endmacro %}
