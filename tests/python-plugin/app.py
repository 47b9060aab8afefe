"""A pipeline step in Python: sends the course's about page to another site."""

from wit_world import exports
from wit_world.exports.learning_course_about_page_url_requested_v1 import Changes, Outcome_Proceed


class LearningCourseAboutPageUrlRequestedV1(exports.LearningCourseAboutPageUrlRequestedV1):
    def run_filter(self, url, org):
        return Outcome_Proceed(Changes(url="https://example.com/" + org, org=None))
