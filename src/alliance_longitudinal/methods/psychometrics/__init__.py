"""What scores of a questionnaire can say: change, sudden gains, reliability, structure."""
