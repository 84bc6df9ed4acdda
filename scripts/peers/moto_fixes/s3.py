"""S3: conditional writes that are one step."""

import threading

from moto.s3.responses import S3Response

from .patching import wrapped

ONE_AT_A_TIME = threading.RLock()


def apply():
    """Of two that write under the same condition one is refused, as S3 promises:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html.
    moto looks first and writes then, and another thread may write between.
    """
    for operation in ("put_object", "delete_object"):

        @wrapped(S3Response, operation)
        def one_at_a_time(original, self):
            with ONE_AT_A_TIME:
                return original(self)
