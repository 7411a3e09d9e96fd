from django.core.cache.backends.redis import RedisCache


class FailSafeRedisCache(RedisCache):
    pass
