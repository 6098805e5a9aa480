# The image of every process of Airflow. docker-compose.yaml builds it; Kubernetes and Astro can take
# it too, since all that is needed to find the package is in the image itself.
FROM apache/airflow:slim-3.3.2-python3.12 AS airflow

USER root
# Group 0 may write: the user's number is the host's (AIRFLOW_UID), the group is always 0.
RUN install --directory --owner=airflow --group=0 --mode=2775 /opt/nba /srv/nba /opt/airflow/logs
USER airflow

COPY --chown=airflow:0 requirements-image.txt /opt/nba/
RUN umask 0002 && pip install --no-cache-dir --requirement /opt/nba/requirements-image.txt

COPY --chown=airflow:0 dags /opt/nba/dags
COPY --chown=airflow:0 plugins /opt/nba/plugins
COPY --chown=airflow:0 include /opt/nba/include
# A checkout made with a umask of 027 or 077 would be readable for its owner alone.
USER root
RUN chmod -R g=u /opt/nba
USER airflow

ENV PYTHONPATH=/opt/nba:/opt/nba/plugins
ENV AIRFLOW__CORE__DAGS_FOLDER=/opt/nba/dags
ENV AIRFLOW__CORE__PLUGINS_FOLDER=/opt/nba/plugins


# The upstreams, played: for trials, never for a deployment.
FROM airflow AS sandbox

COPY --chown=airflow:0 devstack /opt/nba/devstack
COPY --chown=airflow:0 deploy/sandbox.json /opt/nba/deploy/
USER root
RUN chmod -R g=u /opt/nba
USER airflow
