{#- Macros that read written text. What differs between engines (blanks, dates, numbers) is
    dispatched. What an office writes is in its contract and comes from `contract_rules`. -#}

{#- The rules of the source's contract on written values: `empty` (values that mean that nothing is
    written), `expected` (columns that the export must have), `moment_formats` and `day_formats`
    (strptime) with `moment_shape` and `day_shape` (patterns of the texts that fit one), and
    `serial_epoch` (day 0 of Excel's numbers, or null). If the contract names a time zone, there are
    also `time_zone`, `zoned_formats` and `zoned_shape`.
    The rules are read when a model is compiled for a run, because DuckDB takes formats only as
    constants. Unit tests override this macro. A source without a contract has no rows to read, and
    the linter reads none. -#}
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
        'spaces': '\\x{1}-\\x{20}', 'invisible': '\\x{200b}', 'apostrophes': "'", 'full_width': '０',
        'half_width': '0', 'clean_identity': '[0-9A-Z]+', 'bad_identity': '^=', 'identity': [],
        'identity_variants': {}, 'empty': ['NULL'], 'expected': [], 'serial_epoch': none,
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

{#- Written text, cleaned as in orchestration/reading/canonical.py, whose patterns are in `rules`:
    no surrounding blanks, no invisible marks, no `="…"` and no leading apostrophe; '' for blanks
    alone. Cleaning is ten times as slow as checking that there is nothing to clean. -#}
{% macro clean_text(expression, rules) -%}
    {%- set blank = '[' ~ rules.spaces ~ rules.invisible ~ ']' -%}
    {%- set visible = replace_all(expression, '[' ~ rules.invisible ~ ']') -%}
    {%- set trimmed = replace_all(visible, '^' ~ blank ~ '+|' ~ blank ~ '+$') -%}
    case
        when not {{ matches(
            expression,
            '^[=' ~ rules.apostrophes ~ rules.spaces ~ ']|[' ~ rules.spaces ~ ']$|[' ~ rules.invisible ~ ']'
        ) }}
            then {{ expression }}
        else {{ replace_all(
            first_group(trimmed, '(?s)^="(.*)"$'),
            '^[' ~ rules.apostrophes ~ ']*' ~ blank ~ '+|^[' ~ rules.apostrophes ~ ']+|' ~ blank ~ '+$'
        ) }}
    end
{%- endmacro %}

{#- A name as it is compared: exactly, but without blanks, which are invisible in a cell. -#}
{% macro name_key(expression, rules) -%}
    {{ replace_all(expression, '[' ~ rules.spaces ~ rules.invisible ~ ']') }}
{%- endmacro %}

{#- The canonical form of a written identity, like `canonical_identity` in
    orchestration/reading/canonical.py. Most identities are written in canonical form. -#}
{% macro identity_text(expression, rules) -%}
    {%- set half = 'translate(' ~ name_key(expression, rules) ~ ', ' ~ literal(rules.full_width)
        ~ ', ' ~ literal(rules.half_width) ~ ')' -%}
    {%- set apostrophes = '^[' ~ rules.apostrophes ~ ']+|[' ~ rules.apostrophes ~ ']+$' -%}
    {%- set canonical -%}
    case
        when {{ matches(expression, '^' ~ rules.clean_identity ~ '$') }} then {{ expression }}
        when {{ matches(half, '^=?".*"$') }}
            then {{ replace_all(replace_all(half, '^=?"+|"+$'), apostrophes) }}
        else {{ replace_all(half, apostrophes) }}
    end
    {%- endset -%}
    {{ folded_identity(canonical, rules, 'same') }}
{%- endmacro %}

{#- A canonical identity without the differences that have the given ruling in the contract (`same`,
    `stop`), like `fold` in orchestration/reading/canonical.py. -#}
{% macro folded_identity(expression, rules, ruling) -%}
    {%- set variants = rules.identity_variants -%}
    {%- set folded = namespace(text=expression) -%}
    {%- if variants.letter_case == ruling -%}
        {#- ASCII letters only: engines differ on others. -#}
        {%- set folded.text = "case when " ~ matches(folded.text, '[a-z]') ~ " then translate("
            ~ folded.text ~ ", 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ') else "
            ~ folded.text ~ " end" -%}
    {%- endif -%}
    {%- if variants.decimal_zero == ruling -%}
        {%- set folded.text = "case when " ~ matches(folded.text, '[0-9][.]0+$')
            ~ " then " ~ replace_all(folded.text, '[.]0+$') ~ " else " ~ folded.text ~ " end" -%}
    {%- endif -%}
    {%- if variants.leading_zeros == ruling -%}
        {%- set folded.text = "case when " ~ matches(folded.text, '^0+[1-9][0-9]*$')
            ~ " then " ~ replace_all(folded.text, '^0+') ~ " else " ~ folded.text ~ " end" -%}
    {%- endif -%}
    {%- if folded.text == expression -%}
    {{ expression }}
    {%- else -%}
    case when {{ matches(expression, '[a-z]|^0|[.]0+$') }} then {{ folded.text }} else {{ expression }} end
    {%- endif -%}
{%- endmacro %}

{#- A text as an SQL literal. -#}
{% macro literal(text) -%}
    {{ return(adapter.dispatch('literal')(text)) }}
{%- endmacro %}

{% macro duckdb__literal(text) -%}
    '{{ text | replace("'", "''") }}'
{%- endmacro %}

{#- Whether a part of a text matches a pattern. -#}
{% macro matches(expression, pattern) -%}
    {{ return(adapter.dispatch('matches')(expression, pattern)) }}
{%- endmacro %}

{% macro duckdb__matches(expression, pattern) -%}
    regexp_matches({{ expression }}, {{ literal(pattern) }})
{%- endmacro %}

{#- A text without the parts that match a pattern. -#}
{% macro replace_all(expression, pattern) -%}
    {{ return(adapter.dispatch('replace_all')(expression, pattern)) }}
{%- endmacro %}

{% macro duckdb__replace_all(expression, pattern) -%}
    regexp_replace({{ expression }}, {{ literal(pattern) }}, '', 'g')
{%- endmacro %}

{#- The part of a text that a pattern's group matches; a text that doesn't match stays as it is. -#}
{% macro first_group(expression, pattern) -%}
    {{ return(adapter.dispatch('first_group')(expression, pattern)) }}
{%- endmacro %}

{% macro duckdb__first_group(expression, pattern) -%}
    regexp_replace({{ expression }}, {{ literal(pattern) }}, '\1')
{%- endmacro %}

{#- A timestamp from cleaned text; null if it fits none of the contract's formats. Full-width digits
    count as digits, 上午 and 下午 as AM and PM. A day without a time becomes midnight; as a deadline
    (`whole_day`) it becomes the end of the day, so that work finished on the last day is on time. A
    moment with an offset from UTC (Z, +08:00, -0500) becomes the contract zone's wall time. -#}
{% macro parse_timestamp(expression, rules, whole_day=false) -%}
    {{ return(adapter.dispatch('parse_timestamp')(expression, rules, whole_day)) }}
{%- endmacro %}

{#- A written time with ASCII digits and signs, and with AM and PM for 上午 and 下午. -#}
{% macro plain_time(expression) -%}
    {{ return("replace(replace(translate(" ~ expression
        ~ ", '０１２３４５６７８９：／－．\u00a0\u3000', '0123456789:/-.  '), '上午', 'AM'), '下午', 'PM')") }}
{%- endmacro %}

{% macro duckdb__parse_timestamp(expression, rules, whole_day) -%}
    {#- The shape is checked first, because strptime is lenient. Most text is already plain, so only
        the rest needs the slow steps. -#}
    {%- set plain = plain_time(expression) -%}
    {%- set days = " + interval '86399' second" if whole_day -%}
    {%- set serial = '\\d{5}(\\.\\d+)?' -%}
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
        {#- A serial number counts days; five digits cover the years 1927 to 2177. #}
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

{#- The instant of a written time, in UTC; `wall` is the result of `parse_timestamp` for it. Null if
    the contract's zone never changes its clocks (the wall time decides then), and if a time without
    an offset lies in an hour that the clocks repeat or skip: its instant is uncertain. -#}
{% macro parse_instant(expression, wall, rules) -%}
    {%- if not rules.clock_changes -%}
    case when false then {{ wall }} end
    {%- else -%}
    {%- set instant = wall_to_utc(wall, rules.time_zone) -%}
    case
        when {{ matches(plain_time(expression), '^(?:' ~ rules.zoned_shape ~ ')$') }}
            then {{ adapter.dispatch('zoned_instant')(expression, rules) }}
        when
            {% if rules.day_formats -%}
            {{ matches(plain_time(expression), '^(?:' ~ rules.day_shape ~ ')$') }} or
            {%- endif %} (
                {{ utc_to_wall(instant, rules.time_zone) }} = {{ wall }}
                {%- for shift in ['- interval \'60\'', '+ interval \'60\'', '- interval \'30\'', '+ interval \'30\''] %}
                and {{ utc_to_wall(instant ~ ' ' ~ shift ~ ' minute', rules.time_zone) }} <> {{ wall }}
                {%- endfor %}
            )
            then {{ instant }}
    end
    {%- endif -%}
{%- endmacro %}

{% macro duckdb__zoned_instant(expression, rules) -%}
    timezone('UTC', try_strptime(
        regexp_replace({{ plain_time(expression) }}, '[Zz]$', '+00:00'), [{{ quoted(rules.zoned_formats) }}]
    ))
{%- endmacro %}

{% macro wall_to_utc(wall, zone) -%}
    {{ return(adapter.dispatch('wall_to_utc')(wall, zone)) }}
{%- endmacro %}

{% macro duckdb__wall_to_utc(wall, zone) -%}
    timezone('UTC', timezone('{{ zone }}', {{ wall }}))
{%- endmacro %}

{% macro utc_to_wall(instant, zone) -%}
    {{ return(adapter.dispatch('utc_to_wall')(instant, zone)) }}
{%- endmacro %}

{% macro duckdb__utc_to_wall(instant, zone) -%}
    timezone('{{ zone }}', timezone('UTC', {{ instant }}))
{%- endmacro %}

{#- A number from cleaned text as decimal(18, 6); null if it can't be read. 2.77% is 0.0277, 1,234
    is 1234 (a comma must precede three digits), and full-width digits count as digits. -#}
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

{#- Spark uses Java's patterns for times and for text, and doubled backslashes in literals. -#}

{% macro spark__literal(text) -%}
    '{{ text | replace("\\", "\\\\") | replace("'", "\\'") }}'
{%- endmacro %}

{% macro spark__matches(expression, pattern) -%}
    {{ expression }} rlike {{ literal(pattern) }}
{%- endmacro %}

{% macro spark__replace_all(expression, pattern) -%}
    regexp_replace({{ expression }}, {{ literal(pattern) }}, '')
{%- endmacro %}

{% macro spark__first_group(expression, pattern) -%}
    regexp_replace({{ expression }}, {{ literal(pattern) }}, '$1')
{%- endmacro %}

{% macro spark__parse_timestamp(expression, rules, whole_day) -%}
    {%- set plain = "regexp_replace(" ~ plain_time(expression) ~ ", ' +', ' ')" -%}
    {%- set days = " + interval '86399' second" if whole_day -%}
    case
        {%- if rules.moment_formats %}
        when {{ spark_fits(plain, rules.moment_shape) }}
            then {{ spark_first_parsed('to_timestamp_ntz', plain, rules.moment_formats) }}
        {%- if rules.zoned_formats %}
        when {{ spark_fits(plain, rules.zoned_shape) }}
            then {{ utc_to_wall(spark__zoned_instant(expression, rules), rules.time_zone) }}
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

{% macro spark__zoned_instant(expression, rules) -%}
    cast({{ spark_first_parsed(
        'to_timestamp_ltz',
        "regexp_replace(regexp_replace(regexp_replace(regexp_replace(" ~ plain_time(expression)
        ~ ", ' +', ' '), '[Zz]$', '+00:00'), '([+-][0-9]{2})([0-9]{2})$', '$1:$2'), "
        ~ "'([+-][0-9]{2})$', '$1:00')",
        rules.zoned_formats
    ) }} as timestamp_ntz)
{%- endmacro %}

{% macro spark__wall_to_utc(wall, zone) -%}
    convert_timezone('{{ zone }}', 'UTC', {{ wall }})
{%- endmacro %}

{% macro spark__utc_to_wall(instant, zone) -%}
    convert_timezone('UTC', '{{ zone }}', {{ instant }})
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

{#- Whether a whole text matches a pattern. -#}
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

{#- A strptime format in Java's syntax. A part has one or two digits unless it touches another. -#}
{% macro java_format(format) -%}
    {%- set letters = {
        'Y': 'yyyy', 'm': 'M', 'd': 'd', 'H': 'H', 'I': 'h', 'M': 'mm', 'S': 'ss', 'f': 'SSSSSS',
        'p': 'a', 'b': 'MMM', 'B': 'MMMM', 'z': 'XXX'
    } -%}
    {%- set pieces = format.split('%') -%}
    {%- set parts = [pieces[0]] -%}
    {%- for piece in pieces[1:] -%}
        {%- set letter = letters[piece[0]] -%}
        {%- set touches = (not loop.first and parts[-1] == '' and pieces[loop.index - 1][0] != 'p')
            or (not loop.last and piece[1:] == '' and pieces[loop.index + 1][0] != 'p') -%}
        {%- do parts.append(letter * 2 if touches and letter | length == 1 and letter != 'a' else letter) -%}
        {%- set literal = piece[1:] -%}
        {%- do parts.append(modules.re.sub('([A-Za-z]+)', "'\\1'", literal)) -%}
    {%- endfor -%}
    {{ return(parts | join('')) }}
{%- endmacro %}
