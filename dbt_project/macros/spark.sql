{#- Macros that only Spark needs. Spark's variants of other macros are in the files of those. -#}

{#- Loads seeds as literals of the columns' types: dbt-spark's writes null as the text None. -#}
{% macro spark__load_csv_rows(model, agate_table) -%}
    {%- set types = model.config.column_types -%}
    {%- set sql -%}
        insert into {{ this }} values
        {% for row in agate_table.rows -%}
        (
            {%- for value in row -%}
            {%- set text = "'" ~ (value | string | replace("\\", "\\\\") | replace("'", "\\'")) ~ "'" -%}
            cast({{ 'null' if value is none else text }} as {{ types.get(agate_table.column_names[loop.index0], 'string') }})
            {{- ', ' if not loop.last }}
            {%- endfor -%}
        ){{ ',' if not loop.last }}
        {% endfor %}
    {%- endset -%}
    {%- if agate_table.rows -%}
        {%- do adapter.add_query(sql, abridge_sql_log=True) -%}
    {%- endif -%}
    {{ return(sql) }}
{%- endmacro %}

{#- Operations that orchestration/warehouse/spark.py runs; it reads what they log. -#}
{% macro run_statements(statements) -%}
    {%- for statement in statements -%}
        {%- do run_query(statement) -%}
    {%- endfor -%}
{%- endmacro %}

{% macro list_tables(schemas) -%}
    {%- set found = {} -%}
    {%- for schema in schemas -%}
        {%- do found.update({schema: run_query("show tables in " ~ schema).columns["tableName"].values() | list}) -%}
    {%- endfor -%}
    {%- do log(tojson(found), info=true) -%}
{%- endmacro %}

{% macro list_columns(tables) -%}
    {%- set found = {} -%}
    {%- for table in tables -%}
        {%- set schema, name = table.split('.') -%}
        {%- set relation = adapter.get_relation(database=none, schema=schema, identifier=name) -%}
        {%- if relation -%}{#- It is missing if an earlier step failed. -#}
            {%- set columns = [] -%}
            {%- for column in adapter.get_columns_in_relation(relation) -%}
                {%- do columns.append([column.name, column.dtype]) -%}
            {%- endfor -%}
            {%- do found.update({table: columns}) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- do log(tojson(found), info=true) -%}
{%- endmacro %}
