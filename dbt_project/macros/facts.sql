{#- The state of an item at the quarter's end. due: dispatched in the quarter. handled: due and
    finished before the quarter ended. on time: handled no later than the deadline. overdue: due,
    not on time, and the deadline fell before the quarter's end. An item that is open within its
    deadline at the quarter's end is neither on time nor overdue. -#}
{% macro handling_flags(item) -%}
    {%- set due = in_quarter(item ~ '.dispatched_at') -%}
    {%- set handled = 'coalesce(' ~ item ~ '.finished_at < scope.quarter_end, false)' -%}
    {%- set in_time = 'coalesce(' ~ moment(item ~ '.finished_at') ~ ' <= '
        ~ moment(item ~ '.deadline_at') ~ ', false)' -%}
    {{ due }} as is_due,
    {{ due }} and {{ handled }} as is_handled,
    {{ due }} and {{ handled }} and {{ in_time }} as is_on_time,
    {{ due }} and not ({{ handled }} and {{ in_time }})
    and {{ item }}.deadline_at < scope.quarter_end as is_overdue
{%- endmacro %}
