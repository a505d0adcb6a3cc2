{#- Reading written text. What engines spell differently (blanks, dates, numbers) is dispatched;
    what an office writes is in its contract and comes from `contract_rules`. -#}

{#- What the source's contract says about written values: `empty` (values that mean nothing is
    written), `expected` (columns that the export must have), `moment_formats` and `day_formats`
    (strptime) with `moment_shape` and `day_shape` (patterns of the texts that fit one), and
    `serial_epoch` (day 0 of Excel's numbers, or null); where it names a time zone also `time_zone`,
    `zoned_formats` and `zoned_shape`. Read when a model is compiled for a run, because DuckDB takes formats as constants only; unit tests override this macro. A source
    without a contract has no rows to read, and the linter reads none. -#}
{% macro contract_rules(source_name) -%}
    {%- set contract = source('raw', 'contract') -%}
    {%- if execute and target.name != 'lint' -%}
        {%- set found = run_query(
            "select rules from " ~ contract ~ " where source = '" ~ source_name ~ "'"
        ) -%}
        {%- if found.rows -%}
            {{ return(fromjson(found.rows[0][0])) }}
        {%- endif -%}
    {%- endif -%}
    {{ return({
        'empty': ['NULL'], 'expected': [], 'serial_epoch': none,
        'moment_formats': ['%Y-%m-%d %H:%M:%S'], 'moment_shape': '.+',
        'day_formats': ['%Y-%m-%d'], 'day_shape': '.+'
    }) }}
{%- endmacro %}

{#- Written values as SQL text, separated by commas. -#}
{% macro quoted(values) -%}
    {%- for value in values -%}
        '{{ value | replace("'", "''") }}'{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- Blanks of every kind: also full-width, no-break and zero-width ones and a byte order mark. -#}
{% macro blanks() -%}
    {{ return(
        ' \t\n\x0b\x0c\r\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009'
        ~ '\u200a\u200b\u200c\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff'
    ) }}
{%- endmacro %}

{#- Written text without the blanks around it; what is nothing but blanks is ''. -#}
{% macro clean_text(expression) -%}
    {{ return(adapter.dispatch('clean_text')(expression)) }}
{%- endmacro %}

{% macro duckdb__clean_text(expression) -%}
    {#- Trimming so many characters is ten times as slow as seeing that there is nothing to trim. #}
    case
        when regexp_matches({{ expression }}, '^[{{ blanks() }}]|[{{ blanks() }}]$')
            then trim({{ expression }}, '{{ blanks() }}')
        else {{ expression }}
    end
{%- endmacro %}

{#- A name as it is compared: to the letter, but without blanks, which nobody sees in a cell. -#}
{% macro name_key(expression) -%}
    {{ return(adapter.dispatch('name_key')(expression)) }}
{%- endmacro %}

{% macro duckdb__name_key(expression) -%}
    translate({{ expression }}, '{{ blanks() }}', '')
{%- endmacro %}

{#- A timestamp from cleaned text, null where it fits none of the contract's formats. Full-width
    digits count as digits, 上午 and 下午 as AM and PM. A day alone begins at midnight; as a deadline
    it lasts to its end (`whole_day`), so that work finished on the last day is on time. A moment with
    an offset from UTC (Z, +08:00, -0500) becomes the wall time of the contract's zone. -#}
{% macro parse_timestamp(expression, rules, whole_day=false) -%}
    {{ return(adapter.dispatch('parse_timestamp')(expression, rules, whole_day)) }}
{%- endmacro %}

{% macro duckdb__parse_timestamp(expression, rules, whole_day) -%}
    {#- The shape is checked first, as strptime is lenient. Most text is plain already: only the
        rest pays for the slow steps. -#}
    {%- set plain = "replace(replace(translate(" ~ expression
        ~ ", '０１２３４５６７８９：／－．\u00a0\u3000', '0123456789:/-.  '), '上午', 'AM'), '下午', 'PM')" -%}
    {%- set days = " + interval '86399' second" if whole_day -%}
    {%- set serial = '\d{5}(\.\d+)?' -%}
    case
        {%- if rules.moment_formats %}
        {%- for text in [expression, plain] %}
        when regexp_full_match({{ text }}, {{ quoted([rules.moment_shape]) }})
            then try_strptime({{ text }}, [{{ quoted(rules.moment_formats) }}])
        {%- endfor %}
        {%- if rules.zoned_formats %}
        when regexp_full_match({{ plain }}, {{ quoted([rules.zoned_shape]) }})
            then timezone('{{ rules.time_zone }}', try_strptime(
                regexp_replace({{ plain }}, '[Zz]$', '+00:00'), [{{ quoted(rules.zoned_formats) }}]
            ))
        {%- endif %}
        {%- endif %}
        {%- if rules.day_formats %}
        when regexp_full_match({{ plain }}, {{ quoted([rules.day_shape]) }})
            then try_strptime({{ plain }}, [{{ quoted(rules.day_formats) }}]){{ days }}
        {%- endif %}
        {%- if rules.serial_epoch %}
        {#- A serial number counts days; five digits are the years 1927 to 2177. #}
        when regexp_full_match({{ plain }}, '{{ serial }}')
            then timestamp '{{ rules.serial_epoch }}' + to_seconds(
                cast(round(cast({{ plain }} as decimal(20, 12)) * 86400) as bigint)
            ){% if days %} + case
                when {{ plain }} like '%.%' then interval '0' second else interval '86399' second
            end{% endif %}
        {%- endif %}
        else cast(null as timestamp)
    end
{%- endmacro %}

{#- A number from cleaned text as decimal(18, 6), null where it can't be read; 2.77% is 0.0277,
    1,234 is 1234 (a comma stands before three digits), full-width digits count as digits. -#}
{% macro parse_number(expression) -%}
    {{ return(adapter.dispatch('parse_number')(expression)) }}
{%- endmacro %}

{% macro duckdb__parse_number(expression) -%}
    {%- set plain = "translate(" ~ expression ~ ", '０１２３４５６７８９，．％－＋', '0123456789,.%-+')" -%}
    case
        when
            regexp_full_match(
                {{ plain }}, '[+-]?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?%?'
            )
            then cast(
                try_cast(translate({{ plain }}, ',%', '') as decimal(18, 6))
                * case when {{ plain }} like '%\%' escape '\' then 0.01 else 1.00 end
                as decimal(18, 6)
            )
    end
{%- endmacro %}

{#- Spark: Java's patterns of time and of text, and backslashes doubled in literals. -#}

{% macro spark__clean_text(expression) -%}
    trim(both '{{ blanks() }}' from {{ expression }})
{%- endmacro %}

{% macro spark__name_key(expression) -%}
    {{ return(duckdb__name_key(expression)) }}
{%- endmacro %}

{% macro spark__parse_timestamp(expression, rules, whole_day) -%}
    {%- set plain = "regexp_replace(replace(replace(translate(" ~ expression
        ~ ", '０１２３４５６７８９：／－．\u00a0\u3000', '0123456789:/-.  '), '上午', 'AM'), '下午', 'PM'), "
        ~ "' +', ' ')" -%}
    {%- set days = " + interval '86399' second" if whole_day -%}
    case
        {%- if rules.moment_formats %}
        when {{ spark_fits(plain, rules.moment_shape) }}
            then {{ spark_first_parsed('to_timestamp_ntz', plain, rules.moment_formats) }}
        {%- if rules.zoned_formats %}
        when {{ spark_fits(plain, rules.zoned_shape) }}
            then convert_timezone(
                'UTC',
                '{{ rules.time_zone }}',
                cast({{ spark_first_parsed(
                    'to_timestamp_ltz',
                    "regexp_replace(regexp_replace(" ~ plain ~ ", '[Zz]$', '+00:00'), "
                    ~ "'([+-][0-9]{2})([0-9]{2})$', '$1:$2')",
                    rules.zoned_formats
                ) }} as timestamp_ntz)
            )
        {%- endif %}
        {%- endif %}
        {%- if rules.day_formats %}
        when {{ spark_fits(plain, rules.day_shape) }}
            then {{ spark_first_parsed('to_timestamp_ntz', plain, rules.day_formats) }}{{ days }}
        {%- endif %}
        {%- if rules.serial_epoch %}
        when {{ spark_fits(plain, '[0-9]{5}([.][0-9]+)?') }}
            then timestamp_ntz '{{ rules.serial_epoch }}'
                + cast(round(cast({{ plain }} as decimal(20, 12)) * 86400) as bigint)
                * interval '1' second{% if days %} + case
                when {{ plain }} like '%.%' then interval '0' second else interval '86399' second
            end{% endif %}
        {%- endif %}
        else cast(null as timestamp_ntz)
    end
{%- endmacro %}

{% macro spark__parse_number(expression) -%}
    {%- set plain = "translate(" ~ expression ~ ", '０１２３４５６７８９，．％－＋', '0123456789,.%-+')" -%}
    case
        when {{ spark_fits(plain, '[+-]?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)([.][0-9]+)?%?') }}
            then cast(
                cast(translate({{ plain }}, ',%', '') as decimal(18, 6))
                * case when {{ plain }} like '%!%' escape '!' then 0.01 else 1.00 end
                as decimal(18, 6)
            )
    end
{%- endmacro %}

{#- Whether a whole text fits a pattern. -#}
{% macro spark_fits(expression, pattern) -%}
    {{ expression }} rlike '^(?:{{ pattern | replace("\\", "\\\\") | replace("'", "\\'") }})$'
{%- endmacro %}

{% macro spark_first_parsed(function, expression, formats) -%}
    coalesce(
        {%- for format in formats -%}
        {{ function }}({{ expression }}, '{{ java_format(format) | replace("'", "\\'") }}'){{ ', ' if not loop.last }}
        {%- endfor -%}
    )
{%- endmacro %}

{#- A strptime format as Java's: a part takes one digit or two unless it touches another one. -#}
{% macro java_format(format) -%}
    {%- set letters = {
        'Y': 'yyyy', 'm': 'M', 'd': 'd', 'H': 'H', 'I': 'h', 'M': 'mm', 'S': 'ss', 'f': 'SSSSSS',
        'p': 'a', 'b': 'MMM', 'B': 'MMMM', 'z': 'XXX'
    } -%}
    {%- set pieces = format.split('%') -%}
    {%- set parts = [pieces[0]] -%}
    {%- for piece in pieces[1:] -%}
        {%- set letter = letters[piece[0]] -%}
        {%- set touches = (not loop.first and parts[-1] == '') or (not loop.last and piece[1:] == '') -%}
        {%- do parts.append(letter * 2 if touches and letter | length == 1 and letter != 'a' else letter) -%}
        {%- set literal = piece[1:] -%}
        {%- do parts.append(modules.re.sub('([A-Za-z]+)', "'\\1'", literal)) -%}
    {%- endfor -%}
    {{ return(parts | join('')) }}
{%- endmacro %}
