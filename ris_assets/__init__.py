"""RIS, the Retention Intelligence System: from a business's MongoDB to a daily retention score."""
