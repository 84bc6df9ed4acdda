"""What moto does otherwise than AWS. Each module is named after moto's own of that service, and each fix says what
AWS does.
"""
