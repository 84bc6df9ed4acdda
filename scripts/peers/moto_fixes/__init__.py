"""The differences of moto from AWS. Each module is named after moto's own of that service, and each fix describes
the behavior of AWS.
"""
