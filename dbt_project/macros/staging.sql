{#- Macros that the staging models share. In these models <column>_text is a cleaned written value,
    <column> the typed value, and <column>_reason the code of what is wrong with it, or null.
    In models with millions of rows no wide CTE is read twice: an engine would keep all of it. -#}

{#- The written columns of an export, cleaned; null for values that mean "empty" in the contract.
    `number` is the column of the number that identifies an item. `is_repeated` restricts the result
    to rows whose number occurs more than once, so that the others aren't cleaned needlessly. -#}
{% macro written(source_name, columns, rules, number=none, is_repeated=false) -%}
    select
        cleaned.file_sha256,
        cleaned.row_number,
        cleaned.row_defect,
        cleaned.file_order,
        {% for column in columns -%}
        case
            when cleaned.{{ column }} not in ({{ quoted([''] + rules.empty) }})
                then cleaned.{{ column }}
        end as {{ column }}_text{{ ',' if not loop.last }}
        {% endfor -%}
    from (
        select
            export.file_sha256,
            export.row_number,
            export.row_defect,
            export.file_order,
            {% for column in columns -%}
            {{ identity_text('export.' ~ column, rules) if column == number
                else clean_text('export.' ~ column, rules) }} as {{ column }}{{ ',' if not loop.last }}
            {% endfor -%}
        from {{ source('raw', source_name) }} as export
        {%- if is_repeated %}
        where {{ identity_text('export.' ~ number, rules) }} in (
            select {{ identity_text('again.' ~ number, rules) }}
            from {{ source('raw', source_name) }} as again
            group by {{ identity_text('again.' ~ number, rules) }}
            having count(*) > 1
        )
        {%- endif %}
    ) as cleaned
{%- endmacro %}

{#- A cleaned identity; null if it is a formula, an error value or a rounded number instead. -#}
{% macro parse_identity(expression, rules) -%}
    case when not {{ matches(expression, rules.bad_identity) }} then {{ expression }} end
{%- endmacro %}

{#- Numbers that differ from another one only by something that the contract doesn't rule on (letter
    case, leading zeros, `.0`): it is unknown whether they are the same. -#}
{% macro ambiguous_numbers(source_name, number, rules) -%}
    {%- if 'stop' in rules.identity_variants.values() %}
    select distinct ambiguous_number
    from (
        select
            form.number as ambiguous_number,
            min(form.number) over (partition by form.loose) as least_number,
            max(form.number) over (partition by form.loose) as greatest_number
        from ({{ number_forms(source_name, number, rules) }}) as form
        where form.loose in (
            select other.loose
            from ({{ number_forms(source_name, number, rules) }}) as other
            where other.number <> other.loose
        )
    ) as compared
    where least_number <> greatest_number
    {%- else %}
    select cast(null as {{ dbt.type_string() }}) as ambiguous_number
    where false
    {%- endif %}
{%- endmacro %}

{% macro number_forms(source_name, number, rules) -%}
    select
        canonical.number,
        {{ folded_identity('canonical.number', rules, 'stop') }} as loose
    from (
        select {{ identity_text('export.' ~ number, rules) }} as number
        from {{ source('raw', source_name) }} as export
    ) as canonical
{%- endmacro %}

{% macro join_ambiguous(number) -%}
    left join ambiguous on identified.{{ number }}_text = ambiguous.ambiguous_number
{%- endmacro %}

{#- The instants of times, as <column>_instant; see `parse_instant`. -#}
{% macro instants(columns, rules) -%}
    {%- for column in columns %}
        {{ parse_instant('typed.' ~ column ~ '_text', 'typed.' ~ column, rules) }}
            as {{ column }}_instant{{ ',' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- The value by which moments are compared: the instant, or the wall time if it decides. -#}
{% macro moment(column) -%}
    coalesce({{ column }}_instant, {{ column }})
{%- endmacro %}

{#- Joins the contract's code of each written value, as <column>_code.code. -#}
{% macro join_codes(source_name, columns) -%}
    {% for column in columns -%}
    left join {{ source('raw', 'contract_value') }} as {{ column }}_code
        on
            {{ column }}_code.source = '{{ source_name }}'
            and {{ column }}_code.column_name = '{{ column }}'
            and {{ column }}_code.written_value = written.{{ column }}_text
    {% endfor %}
{%- endmacro %}

{#- One row for each (written_name, evaluation_group, day) of a CTE: how many units its aliases name
    on that day, and which. Names must match exactly, except for blanks. An alias that names the
    group outranks one that doesn't, because two bodies share a name and differ by group. If no
    group is written, an alias without a group decides. -#}
{% macro resolved_units(source_name, rules, day='cast(dispatched_at as date)', rows='typed') -%}
    select
        name.written_name,
        name.evaluation_group,
        name.valid_on,
        coalesce(
            nullif(count(distinct alias.unit_code) filter (where alias.evaluation_group is not null), 0),
            count(distinct alias.unit_code)
        ) as unit_count,
        coalesce(
            min(alias.unit_code) filter (where alias.evaluation_group is not null),
            min(alias.unit_code)
        ) as unit_code
    from (
        select distinct
            written_name,
            evaluation_group,
            {{ day }} as valid_on
        from {{ rows }}
    ) as name
    left join {{ ref('unit_alias') }} as alias
        on
            {{ name_key('name.written_name', rules) }} = {{ name_key(clean_text('alias.alias_name', rules), rules) }}
            and alias.source in ('*', '{{ source_name }}')
            and (alias.evaluation_group is null or name.evaluation_group = alias.evaluation_group)
            and {{ is_valid_on('alias', 'name.valid_on') }}
    where name.written_name is not null and name.valid_on is not null
    group by name.written_name, name.evaluation_group, name.valid_on
{%- endmacro %}

{% macro join_resolved_unit(day='cast(typed.dispatched_at as date)') -%}
    left join resolved
        on
            typed.written_name = resolved.written_name
            and {{ day }} = resolved.valid_on
            and typed.evaluation_group is not distinct from resolved.evaluation_group
{%- endmacro %}

{#- Rows of a CTE whose identity occurs more than once. The content that was written last is valid
    (in the later file by name, then the later row), and the first row with it is kept.
    content_occurrence: the row's position among the rows with its content. content_age: 1 for the
    valid content. standing_*: the row that is kept. files_differ: the content written last isn't
    the same in every file with the identity. -#}
{% macro repeated_rows(identity, columns, rows='identified') -%}
    {%- set keys = identity | join(', ') -%}
    {%- set content = keys ~ ', ' ~ columns | join('_text, ') ~ '_text' -%}
    {%- set standing_first = 'partition by ' ~ keys ~ ' order by content_age, content_occurrence' -%}
    select
        file_sha256,
        row_number,
        content_occurrence,
        content_age,
        min(case when file_age = 1 then content_age end) over (partition by {{ keys }})
        <> max(case when file_age = 1 then content_age end) over (partition by {{ keys }})
            as files_differ,
        first_value(file_sha256) over ({{ standing_first }}) as standing_file_sha256,
        first_value(row_number) over ({{ standing_first }}) as standing_row_number
    from (
        select
            aged.*,
            min(age) over (partition by {{ content }}) as content_age
        from (
            select
                item.*,
                row_number() over (
                    partition by {{ keys }} order by file_order desc, row_number desc
                ) as age,
                row_number() over (
                    partition by {{ keys }}, file_sha256 order by row_number desc
                ) as file_age,
                row_number() over (
                    partition by {{ content }} order by file_order, row_number
                ) as content_occurrence
            from {{ rows }} as item
            inner join (
                select {{ keys }}
                from {{ rows }}
                group by {{ keys }}
                having count(*) > 1
            ) as again using ({{ keys }})
        ) as aged
    ) as placed
{%- endmacro %}

{#- The columns that `join_repeated` adds to a row; all null if its identity occurs once. -#}
{% macro repeated_columns() -%}
    repeated.content_occurrence,
    repeated.content_age,
    repeated.files_differ,
    repeated.standing_file_sha256,
    repeated.standing_row_number
{%- endmacro %}

{% macro join_repeated() -%}
    left join repeated
        on
            identified.file_sha256 = repeated.file_sha256
            and identified.row_number = repeated.row_number
{%- endmacro %}

{#- Whether a moment is before another. A day without a time (midnight) may be any moment of that
    day, so it isn't before a moment of the same day. -#}
{% macro is_before(column, other) -%}
    {{ moment(column) }} < {{ moment(other) }}
    and {{ column }} <> cast(cast({{ other }} as date) as timestamp)
{%- endmacro %}

{#- The first fault that applies to a column. The columns of a defective row aren't judged, nor
    those of a row that another one replaces. `required`: true, false or a condition. -#}
{% macro reason(
    column, rules, unreadable=none, required=false, not_before=none, is_identity=false, number=none
) -%}
    case
        when row_defect is not null then null
        {%- if number %}
        when ambiguous_number is not null then 'ambiguous_identity'
        {%- endif %}
        {%- if is_identity and rules.conflict == 'later_row' %}
        when files_differ then 'conflicting_files'
        {%- endif %}
        when content_age > 1 then {{ "'conflicting_duplicate'" if is_identity else 'null' }}
        {%- if required %}
        when {{ column }}_text is null{{ ' and ' ~ required if required is string }}
            then 'missing_value'
        {%- endif %}
        {%- if unreadable %}
        when {{ column }}_text is not null and {{ column }} is null then '{{ unreadable }}'
        {%- endif %}
        {%- if unreadable == 'bad_timestamp' and rules.clock_changes %}
        when {{ column }} is not null and {{ column }}_instant is null then 'ambiguous_time'
        {%- endif %}
        {%- if not_before %}
        when {{ is_before(column, not_before) }} then 'impossible_order'
        {%- endif %}
    end as {{ column }}_reason
{%- endmacro %}

{#- A name without a readable day of dispatch isn't looked up; the day's own reason is enough. -#}
{% macro unit_reason() -%}
    case
        when row_defect is not null or content_age > 1 then null
        when unit_name_text is null then 'missing_value'
        when unit_count = 0 then 'unknown_unit'
        when unit_count > 1 then 'ambiguous_unit'
    end as unit_name_reason
{%- endmacro %}

{#- A row's status. A row that isn't a record (a total, a footnote) is out of scope; one that
    couldn't be read is rejected. An exact repeat is a duplicate even if something else is wrong
    with it, because its first occurrence carries the reason. A row that another one overrules is
    rejected for that reason alone. A row is out of scope if it has a day of dispatch and no
    activity in the quarter; a row with an unreadable day isn't. -#}
{% macro row_status(reasons, days=[]) -%}
    case
        when row_defect = 'not_a_record' then 'out_of_scope'
        when row_defect is not null then 'rejected'
        when content_occurrence > 1 then 'duplicate'
        {%- if days %}
        when
            dispatched_at is not null
            {%- for day in days %}
            and coalesce({{ day }} < quarter_start or {{ day }} >= quarter_end, {{ day }}_text is null)
            {%- endfor %}
            then 'out_of_scope'
        {%- endif %}
        when coalesce({{ reasons | join('_reason, ') }}_reason) is not null then 'rejected'
        else 'accepted'
    end as row_status
{%- endmacro %}
