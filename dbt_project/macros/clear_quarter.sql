{#- Pre-hook of every incremental model: takes the run's quarter out, so that the append after it
    replaces the quarter, also when it has become smaller or empty. Other quarters stay.
    `key` is `quarter`, or `file_sha256` for a table that names files and no quarter. -#}
{% macro clear_quarter(key='quarter') -%}
    {{ return(adapter.dispatch('clear_quarter')(key)) }}
{%- endmacro %}

{% macro default__clear_quarter(key) -%}
    {% if is_incremental() -%}
        delete from {{ this }}
        where {{ key }} in (
            {{- cleared_keys(key) }}
        )
    {%- endif %}
{%- endmacro %}

{#- Spark deletes no rows from Parquet: what is taken out is a partition, whole. -#}
{% macro spark__clear_quarter(key) -%}
    {% if is_incremental() -%}
        {% for row in run_query(cleared_keys(key)).rows -%}
            {% do run_query(
                "alter table " ~ this ~ " drop if exists partition (" ~ key ~ " = '" ~ row[0] ~ "')"
            ) %}
        {%- endfor %}
    {%- endif %}
{%- endmacro %}

{% macro cleared_keys(key) %}
            select file_or_quarter.{{ key }}
            from {{ source('raw', 'source_file' if key == 'file_sha256' else 'run_scope') }}
                as file_or_quarter
            where file_or_quarter.quarter in (select quarter from {{ source('raw', 'run_scope') }})
{%- endmacro %}
