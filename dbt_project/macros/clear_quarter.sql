{#- Pre-hook of incremental models: deletes the run's quarter, so that the append after it replaces
    the quarter, even if it has become smaller or empty. Other quarters stay.
    `key` is `quarter`, or `file_sha256` for a table that has files and no quarter. -#}
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

{#- Spark can't delete rows from Parquet, so whole partitions are dropped. -#}
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
