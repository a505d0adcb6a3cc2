"""The quarter's site: static pages for leaders, units and analysts, in Chinese and English."""
