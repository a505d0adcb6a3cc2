{#- Reading written text. What engines spell differently (blanks, dates, numbers) is dispatched. -#}

{#- Written text without the blanks around it (also full-width, no-break and zero-width ones and a
    stray byte order mark); empty text is null. -#}
{% macro clean_text(expression) -%}
    {{ return(adapter.dispatch('clean_text')(expression)) }}
{%- endmacro %}

{% macro duckdb__clean_text(expression) -%}
    {%- set blanks = "' \u00a0\u2002\u2003\u2009\u200b\u3000\ufeff' || chr(9) || chr(10) || chr(13)" -%}
    nullif(trim({{ expression }}, {{ blanks }}), '')
{%- endmacro %}

{#- A timestamp from cleaned text, null where it can't be read. Year first, then month and day
    (2022-04-01, 2022/4/1, 2022年4月1日, 20220401), then maybe hour:minute or hour:minute:second;
    full-width digits count as digits. A day alone begins at midnight; as a deadline it lasts to
    its end (`until_end_of_day`), so that work finished on the last day is on time. -#}
{% macro parse_timestamp(expression, until_end_of_day=false) -%}
    {{ return(adapter.dispatch('parse_timestamp')(expression, until_end_of_day)) }}
{%- endmacro %}

{% macro duckdb__parse_timestamp(expression, until_end_of_day) -%}
    {#- Every spelling becomes 2022-4-1 9:05; the shape is checked first, as strptime is lenient.
        Most text has that shape already: only the rest pays for translate, the slowest step. -#}
    {%- set plain = "rtrim(translate(" ~ expression
        ~ ", '０１２３４５６７８９：／/－年月日　', '0123456789:-----  '))" -%}
    {%- set instant = '\d{4}-\d{1,2}-\d{1,2} +\d{1,2}:\d{2}(:\d{2})?' -%}
    case
        when regexp_full_match({{ expression }}, '{{ instant }}')
            then try_strptime({{ expression }}, ['%Y-%m-%d %H:%M:%S', '%Y-%m-%d %H:%M'])
        when regexp_full_match({{ plain }}, '{{ instant }}')
            then try_strptime({{ plain }}, ['%Y-%m-%d %H:%M:%S', '%Y-%m-%d %H:%M'])
        when regexp_full_match({{ plain }}, '\d{4}-\d{1,2}-\d{1,2}|\d{8}')
            then try_strptime({{ plain }}, ['%Y-%m-%d', '%Y%m%d'])
            {%- if until_end_of_day %} + interval '86399' second{% endif %}
    end
{%- endmacro %}

{#- A number from cleaned text as decimal(18, 6), null where it can't be read; 2.77% is 0.0277. -#}
{% macro parse_number(expression) -%}
    {{ return(adapter.dispatch('parse_number')(expression)) }}
{%- endmacro %}

{% macro duckdb__parse_number(expression) -%}
    cast(
        try_cast(replace({{ expression }}, '%', '') as decimal(18, 6))
        * case when {{ expression }} like '%\%' escape '\' then 0.01 else 1.00 end
        as decimal(18, 6)
    )
{%- endmacro %}
