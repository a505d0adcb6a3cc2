{#- What became of an item by the quarter's end. due: dispatched in the quarter. handled: due and
    finished before the quarter ended. on time: handled no later than the deadline. overdue: due,
    not on time, and the deadline fell within the quarter; what is open within its deadline at the
    quarter's end is neither on time nor overdue. -#}
{% macro handling_flags(item) -%}
    {%- set due = in_quarter(item ~ '.dispatched_at') -%}
    {%- set on_time = item ~ '.finished_at < scope.quarter_end and ' ~ item ~ '.finished_at <= ' ~ item ~ '.deadline_at' -%}
    {{ due }} as is_due,
    {{ due }} and coalesce({{ item }}.finished_at < scope.quarter_end, false) as is_handled,
    {{ due }} and coalesce({{ on_time }}, false) as is_on_time,
    {{ due }} and not coalesce({{ on_time }}, false)
    and {{ item }}.deadline_at < scope.quarter_end as is_overdue
{%- endmacro %}
